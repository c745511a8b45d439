//! Decisions as functions of values: nothing below waits, reads a clock, draws a random number or logs.

pub mod record;
