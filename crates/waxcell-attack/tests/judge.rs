//! What the judge must not miss. A process of its own: whoever judges kills all children that it has.

use std::path::Path;

use waxcell_attack::{Against, Case, Host, Outcome, Tools, run};

#[test]
fn output_at_the_very_end_is_counted() {
    let place = tempfile::tempdir().expect("a folder");
    let python = Path::new("/usr/bin/python3").to_owned();
    let path = "/usr/bin:/bin".to_owned();
    let tools = Tools { waxcell: python.clone(), python, path: path.clone(), place: place.path().to_owned() };
    let host =
        Host { root: false, user_namespaces: false, landlock_abi: None, limits_by: String::new(), path };
    let told = "id = \"J39\"\ntitle = \"x\"\nlayers = [\"limits\"]\n[escaped]\noutput = 4999\n\
        [expect]\nverdict = \"ok\"\nexit = 0\n";
    let case = Case {
        name: "J39-x".to_owned(),
        told: toml::from_str(told).expect("a case"),
        probe: "import os\nos.write(1, b'x' * 5000)\nos._exit(0)\n".to_owned(),
        deny: None,
        allow: None,
    };
    for _ in 0..5 {
        let report = run(&case, Against::Other(&["/usr/bin/env".to_owned()]), &host, &tools);
        assert_eq!(
            (report.outcome, report.why),
            (Outcome::Escaped, vec!["5000 bytes of output came through".to_owned()])
        );
    }
}
