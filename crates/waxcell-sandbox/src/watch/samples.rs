//! What is looked at that no event tells: when, how much of it is used, and whether that is too much.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::{Running, Watch};
use crate::cgroup::Rung;
use crate::ending::Stop;
use crate::procfs::{self, Sample};

/// The longest time between two looks at what no event tells.
const LONGEST_TICK: Duration = Duration::from_millis(100);
pub(super) const SHORTEST_TICK: Duration = Duration::from_millis(2);
/// How fast a tree can take memory at most, for when to look again: bytes a second.
const FASTEST_GROWTH: u64 = 8 << 30;
/// How fast it can write to files at most.
const FASTEST_WRITING: u64 = 4 << 30;

/// How long so many bytes take at this rate, in bytes a second.
fn time_for(room: u64, rate: u64) -> Duration {
    Duration::from_nanos(room.saturating_mul(1_000_000_000 / 1024) / (rate / 1024))
}

impl Watch<'_> {
    /// How long nothing can happen that no event tells: a limit cannot be reached sooner than the hardware allows.
    pub(super) fn tick(&self, run: &Running) -> Duration {
        let cpus = run.cpus;
        let wall = run.limits.wall.saturating_sub(self.started.elapsed());
        let cpu = run.limits.cpu.saturating_sub(self.sampled_cpu) / cpus;
        let memory = match self.rung {
            Rung::RlimitWatch => {
                time_for(run.limits.memory.saturating_sub(self.sampled_memory), FASTEST_GROWTH)
            }
            // The kernel acts by itself; what is left is to notice.
            Rung::Cgroup1 | Rung::Cgroup2 => LONGEST_TICK,
        };
        let written = run.limits.written.map_or(LONGEST_TICK, |limit| {
            time_for(limit.saturating_sub(self.written.total()), FASTEST_WRITING)
        });
        let soonest = cpu.min(memory).min(written).max(SHORTEST_TICK);
        wall.min(soonest).min(LONGEST_TICK)
    }

    pub(super) fn sample(&mut self, run: &Running) {
        match &run.group {
            Some(group) => {
                self.sampled_cpu = group.cpu().unwrap_or(self.sampled_cpu);
                self.usage.memory_peak = self.usage.memory_peak.max(group.memory_to_remember());
                if group.out_of_memory_kills() > 0 {
                    self.reached(Stop::Memory);
                }
            }
            None => self.sample_processes(run),
        }
        if self.sampled_cpu >= run.limits.cpu {
            self.reached(Stop::Cpu);
        }
        if let Some(limit) = run.limits.written {
            self.sample_written(run, limit);
        }
        if Instant::now() >= self.scratch_next {
            self.sample_scratch(run);
        }
    }

    /// The rung without groups: adds up what each process says of itself, more exactly where it gets close.
    fn sample_processes(&mut self, run: &Running) {
        let Some(proc) = &run.processes else { return };
        // What is on disk is no memory.
        let bounded = run.scratch.as_ref().filter(|scratch| scratch.is_bounded());
        let scratch = bounded.and_then(|s| s.usage(&run.limits)).map_or(0, |usage| usage.bytes);
        let tally = &mut self.tally;
        let sample =
            procfs::sample(run.members, proc.as_fd(), procfs::Depth::Quick, |spent| tally.see(spent));
        let Some(Sample { cpu, resident, open_files }) = sample else { return };
        tally.fold();
        self.sampled_cpu = self.sampled_cpu.max(cpu).max(tally.total());
        let mut memory = resident + scratch;
        if memory > run.limits.memory {
            let device = bounded.map_or(0, |scratch| scratch.device());
            let depth = procfs::Depth::Proportional { scratch: device };
            memory = procfs::sample(run.members, proc.as_fd(), depth, |_| ())
                .map_or(memory, |sample| sample.resident + scratch);
        }
        self.sampled_memory = memory;
        self.usage.memory_peak = self.usage.memory_peak.max(memory);
        if memory > run.limits.memory {
            self.reached(Stop::Memory);
        }
        if open_files >= u64::from(run.limits.open_files) {
            self.reached(Stop::OpenFiles);
        }
    }

    fn sample_written(&mut self, run: &Running, limit: u64) {
        let Some(proc) = &run.processes else { return };
        let mut all = Vec::new();
        if procfs::written(run.members, proc.as_fd(), |wrote| all.push(wrote)).is_ok() {
            self.written.look(&all);
        }
        if self.written.total() > limit {
            self.reached(Stop::Written);
        }
    }

    pub(super) fn sample_scratch(&mut self, run: &Running) {
        let begun = Instant::now();
        let Some(usage) = run.scratch.as_ref().and_then(|scratch| scratch.usage(&run.limits)) else { return };
        // A folder is walked through, which may take a while: at most a tenth of the time.
        self.scratch_next = Instant::now() + begun.elapsed() * 9;
        self.usage.scratch_bytes = usage.bytes;
        self.usage.scratch_files = usage.files;
        if usage.bytes_left == 0 {
            self.reached(Stop::ScratchBytes);
        }
        if usage.files_left == 0 {
            self.reached(Stop::ScratchFiles);
        }
    }
}
