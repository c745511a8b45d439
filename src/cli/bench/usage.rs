//! What a process has used, as the operating system counts it: CPU seconds and memory, of Linux alone.

use std::fs;

/// Linux tells CPU times in hundredths of a second, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of this process, of all its threads, those that ended too; none where there is no `/proc`.
pub fn cpu_s() -> Option<f64> {
    ticks(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// The most memory that this process has had since `forget_peak`, in bytes.
pub fn peak_bytes() -> Option<u64> {
    peak(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Begin the peak anew. Where that is not granted, it is that of the whole process.
pub fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The name of a process may hold anything, so what follows its last bracket is counted: state is the first, utime and stime
/// the twelfth and thirteenth.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 163 0 0 0 250 50 9 9 20 0 1 0 100 1 1";
        assert_eq!(ticks(stat), Some(3.0));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn the_peak_is_told_in_kibibytes() {
        assert_eq!(
            peak("Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"),
            Some(2 * 1024 * 1024)
        );
        assert_eq!(peak("Name:\ta\n"), None);
    }
}
