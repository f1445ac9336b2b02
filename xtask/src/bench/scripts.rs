//! What is measured: scripts that are nothing but one cost, and one real one.

/// One script.
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) args: &'static [&'static str],
    /// Empty: the script is there, in `examples/hive`.
    pub(crate) text: &'static str,
    pub(crate) least_output: usize,
    /// Whether it says what it costs to put attempts on files on record.
    pub(crate) reads: bool,
}

pub(crate) const ALL: &[Script] = &[
    Script {
        name: "nothing: `pass`",
        path: "null.py",
        args: &[],
        text: "pass\n",
        least_output: 0,
        reads: false,
    },
    Script {
        name: "the tally of `examples/hive`, all 40 proposals",
        path: "scripts/tally.py",
        args: &["--all"],
        text: "",
        least_output: 100,
        reads: true,
    },
    Script {
        name: "400 KB on standard output",
        path: "output.py",
        args: &[],
        text: "for _ in range(4000):\n    print('x' * 99)\n",
        least_output: 400_000,
        reads: false,
    },
    Script {
        name: "200 child processes, one after the other",
        path: "children.py",
        args: &[],
        text: "import subprocess\nfor _ in range(200):\n    subprocess.run(['/bin/true'], check=True)\n",
        least_output: 0,
        reads: false,
    },
    Script {
        name: "10,000 times `open()` and `close()`",
        path: "opens.py",
        args: &[],
        text: "for _ in range(10000):\n    open(__file__).close()\n",
        least_output: 0,
        reads: true,
    },
    Script {
        name: "10,000 files of 1 KB opened and read",
        path: "reads.py",
        args: &[],
        text: "for n in range(10000):\n    with open(f'read/{n % 100}') as file:\n        file.read()\n",
        least_output: 0,
        reads: true,
    },
];
