//! The process in bad surroundings.
