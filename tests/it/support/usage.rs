//! What a process uses, as Linux counts it.

use std::time::Duration;

/// Of one process, so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Resident now.
    pub resident_kb: u64,
    /// The most that was ever resident.
    pub peak_kb: u64,
    pub cpu: Duration,
    /// Open files and sockets.
    pub files: usize,
    pub threads: u64,
}

/// What one tick of `/proc/PID/stat` is worth, on every Linux that Rust knows.
const TICK: Duration = Duration::from_millis(10);

impl Usage {
    /// Of the process with this id.
    pub fn of(pid: u32) -> Self {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            std::fs::read_to_string(path).expect("it runs, on Linux")
        };
        let status = read("status");
        let number = |key: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(key));
            let word = line.and_then(|line| line.split_whitespace().nth(1));
            word.and_then(|word| word.parse().ok()).expect("a number")
        };
        let stat = read("stat");
        // The name in brackets may hold anything; what follows it has no blank.
        let (_, behind) = stat.rsplit_once(") ").expect("a name in brackets");
        let ticks = behind.split(' ').skip(11).take(2);
        let ticks: u32 = ticks.map(|text| text.parse::<u32>().expect("ticks")).sum();
        Self {
            resident_kb: number("VmRSS:"),
            peak_kb: number("VmHWM:"),
            cpu: TICK * ticks,
            files: std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
            threads: number("Threads:"),
        }
    }
}
