//! What of the rules can be set, with the keys and the defaults of Bandit's configuration.

use serde::{Deserialize, Serialize};

/// The settings of all rules that have any, by the name of the rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// B101.
    pub assert_used: AssertUsed,
    /// B108.
    pub hardcoded_tmp_directory: HardcodedTmpDirectory,
    /// B704.
    pub markupsafe_xss: MarkupsafeXss,
    /// B602 to B607 and B609.
    pub shell_injection: ShellInjection,
    /// B502 and B503.
    pub ssl_with_bad_version: SslWithBadVersion,
    /// B112.
    pub try_except_continue: TryExcept,
    /// B110.
    pub try_except_pass: TryExcept,
    /// B505.
    pub weak_cryptographic_key: WeakCryptographicKey,
}

/// Where assertions are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssertUsed {
    /// Patterns of paths, such as `*_test.py`; `*` matches slashes as well.
    pub skips: Vec<String>,
}

/// What a shared folder for temporary files is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HardcodedTmpDirectory {
    /// How such paths begin.
    pub tmp_dirs: Vec<String>,
}

/// What makes text into markup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarkupsafeXss {
    /// Qualified names that do so, beside `markupsafe.Markup` and `flask.Markup`.
    pub extend_markup_names: Vec<String>,
    /// Qualified names of functions whose result is safe.
    pub allowed_calls: Vec<String>,
}

/// Which functions start programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShellInjection {
    /// Those that use a shell if `shell` is true.
    pub subprocess: Vec<String>,
    /// Those that always use a shell.
    pub shell: Vec<String>,
    /// Those that never do.
    pub no_shell: Vec<String>,
}

/// Which versions of TLS are broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SslWithBadVersion {
    /// The names that stand for them.
    pub bad_protocol_versions: Vec<String>,
}

/// Which handlers of exceptions are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TryExcept {
    /// Those of a certain exception as well, not only those of every one.
    pub check_typed_exception: bool,
}

/// From how many bits on a key is strong: below `high` the finding is of high severity, below `medium` of medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct WeakCryptographicKey {
    pub weak_key_size_dsa_high: u64,
    pub weak_key_size_dsa_medium: u64,
    pub weak_key_size_rsa_high: u64,
    pub weak_key_size_rsa_medium: u64,
    pub weak_key_size_ec_high: u64,
    pub weak_key_size_ec_medium: u64,
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

impl Default for HardcodedTmpDirectory {
    fn default() -> Self {
        HardcodedTmpDirectory { tmp_dirs: owned(&["/tmp", "/var/tmp", "/dev/shm"]) }
    }
}

impl Default for ShellInjection {
    fn default() -> Self {
        let of = |module: &str, names: &[&str]| names.iter().map(|name| format!("{module}.{name}")).collect();
        let subprocess: Vec<String> =
            of("subprocess", &["Popen", "call", "check_call", "check_output", "run"]);
        let shell: [Vec<String>; 4] = [
            of("os", &["system", "popen", "popen2", "popen3", "popen4"]),
            of("popen2", &["popen2", "popen3", "popen4", "Popen3", "Popen4"]),
            of("commands", &["getoutput", "getstatusoutput"]),
            of("subprocess", &["getoutput", "getstatusoutput"]),
        ];
        let ways = ["l", "le", "lp", "lpe", "v", "ve", "vp", "vpe"];
        let mut no_shell: Vec<String> = Vec::new();
        for verb in ["exec", "spawn"] {
            no_shell.extend(ways.iter().map(|way| format!("os.{verb}{way}")));
        }
        no_shell.push("os.startfile".into());
        ShellInjection { subprocess, shell: shell.concat(), no_shell }
    }
}

impl Default for SslWithBadVersion {
    fn default() -> Self {
        let bad_protocol_versions = owned(&[
            "PROTOCOL_SSLv2",
            "SSLv2_METHOD",
            "SSLv23_METHOD",
            "PROTOCOL_SSLv3",
            "PROTOCOL_TLSv1",
            "SSLv3_METHOD",
            "TLSv1_METHOD",
            "PROTOCOL_TLSv1_1",
            "TLSv1_1_METHOD",
        ]);
        SslWithBadVersion { bad_protocol_versions }
    }
}

impl Default for WeakCryptographicKey {
    fn default() -> Self {
        WeakCryptographicKey {
            weak_key_size_dsa_high: 1024,
            weak_key_size_dsa_medium: 2048,
            weak_key_size_rsa_high: 1024,
            weak_key_size_rsa_medium: 2048,
            weak_key_size_ec_high: 160,
            weak_key_size_ec_medium: 224,
        }
    }
}
