//! Paths of a policy where they meet each other and what a run has anyway: the most specific entry holds, and what
//! cannot be had is refused by name.

mod support;

use std::os::unix::fs::symlink;

use support::{Place, say};

/// What becomes of each path it is given: `-` absent or out of reach, `r` readable, `w` writable.
const LOOK: &str = "
import os, sys
def look(path):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, 'rb').close()
    except OSError:
        return '-'
    try:
        if not os.path.isdir(path):
            open(path, 'ab').close()
            return 'w'
        probe = os.path.join(path, 'probe')
        os.mkdir(probe)
        os.rmdir(probe)
        return 'w'
    except OSError:
        return 'r'
print(*map(look, sys.argv[1:]))
";

fn place(paths: &str) -> Place {
    let place = Place::new(&format!("filesystem:\n  allowed_paths: [{paths}]\n  blocked_operations: []\n"));
    place.write("scripts/look.py", LOOK);
    for file in ["open/x", "hidden/x", "hidden/shown/x", "hidden/y.txt", ".ssh/known_hosts", ".ssh/id_rsa"] {
        place.write(file, "x");
    }
    place
}

/// The script finds each path as the letter before it says.
#[track_caller]
fn finds(paths: &str, expected: &[(&str, &str)]) {
    let place = place(paths);
    let before = place.tree();
    let names: Vec<&str> = expected.iter().map(|(_, path)| *path).collect();
    let said = say(place.waxcell(&["run", "scripts/look.py"]).args(&names));
    let letters: Vec<&str> = expected.iter().map(|(letter, _)| *letter).collect();
    assert_eq!(said.out().trim_end(), letters.join(" "), "{paths} {names:?} {said:?}");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(place.tree(), before, "placeholders are gone");
}

/// Nothing is run, and what is said has all of `words`.
#[track_caller]
fn refuses(place: &Place, words: &[&str]) {
    let before = place.tree();
    let said = say(&mut place.waxcell(&["run", "scripts/look.py"]));
    assert_eq!((said.code, said.out().as_str()), (126, ""), "{said:?}");
    for word in words {
        assert!(said.err().contains(word), "`{word}` is not in it: {said:?}");
    }
    assert_eq!(place.tree(), before);
}

#[test]
fn the_most_specific_entry_holds_below_a_hidden_folder() {
    let paths =
        "{path: ./hidden, access: none}, ./hidden/shown, {path: hidden/y.txt, access: read}, ./hidden/new/er";
    let shown =
        [("w", "hidden/shown"), ("w", "hidden/shown/x"), ("r", "hidden/y.txt"), ("w", "hidden/new/er")];
    finds(paths, &[&shown[..], &[("-", "hidden/x"), ("r", "hidden"), ("r", "open/x")]].concat());
    // The control: without the entries below it, nothing of it is there.
    finds(
        "{path: ./hidden, access: none}",
        &[("-", "hidden"), ("-", "hidden/shown/x"), ("-", "hidden/y.txt")],
    );
    finds("./open", &[("r", "hidden/x"), ("r", "hidden/y.txt"), ("w", "open")]);
}

#[test]
fn the_most_specific_entry_holds_below_a_writable_folder() {
    let paths = "./hidden, {path: ./hidden/shown, access: read}, {path: hidden/y.txt, access: none}";
    finds(paths, &[("w", "hidden"), ("w", "hidden/x"), ("r", "hidden/shown"), ("-", "hidden/y.txt")]);
}

#[test]
fn what_is_not_there_yet_cannot_be_made_where_the_policy_says_no() {
    let place = place("./open, {path: ./open/kept, access: read}, {path: ./open/a/no.txt, access: none}");
    place.write(
        "scripts/make.py",
        "
def attempt(path):
    try: open(path, 'w').write('x')
    except OSError: return 'no'
    return 'made'
print(attempt('open/kept/x'), attempt('open/a/no.txt'), attempt('open/a/yes.txt'))
",
    );
    let said = say(&mut place.waxcell(&["run", "scripts/make.py"]));
    assert_eq!(said.out(), "no no made\n", "{said:?}");
    assert!(!place.project().join("open/kept").exists() && !place.project().join("open/a/no.txt").exists());
}

#[test]
fn the_project_itself_may_be_named() {
    let kept = "{path: security_policy.yml, access: read}";
    finds(
        &format!("., {kept}"),
        &[("w", "."), ("w", "open/x"), ("r", "security_policy.yml"), ("-", ".ssh/id_rsa")],
    );
    finds("{path: ., access: read}", &[("r", "."), ("r", "open/x")]);
    // The script's own bytes are at their place in any case.
    finds(
        "{path: ., access: none}",
        &[("-", "open"), ("r", "scripts/look.py"), ("-", "security_policy.yml")],
    );
    finds("{path: ./scripts, access: none}", &[("r", "scripts/look.py"), ("r", "open/x")]);
    finds("{path: ./scripts/look.py, access: none}", &[("r", "scripts/look.py")]);
}

#[test]
fn a_credential_that_is_named_is_there_and_those_beside_it_are_not() {
    finds("{path: .ssh/known_hosts, access: read}", &[("r", ".ssh/known_hosts"), ("-", ".ssh/id_rsa")]);
    finds("./open", &[("-", ".ssh/known_hosts"), ("-", ".ssh/id_rsa")]);
}

#[test]
fn a_credential_behind_a_link_is_found_and_named_as_any_other() {
    let place = place("./link, {path: ./link/.netrc, access: read}");
    for file in [".env", ".netrc", "open.txt"] {
        place.write(format!("../elsewhere/{file}"), "x");
    }
    symlink("../elsewhere", place.project().join("link")).unwrap();
    let said =
        say(place.waxcell(&["run", "scripts/look.py"]).args(["link/.env", "link/.netrc", "link/open.txt"]));
    assert_eq!(said.out(), "- r w\n", "{said:?}");
}

#[test]
fn nothing_tells_of_a_credential_in_a_hidden_folder() {
    let place = place("{path: ./hidden, access: none}, ./hidden/shown");
    place.write("hidden/keys/id_rsa", "x");
    place.write("hidden/shown/keys/id_rsa", "x");
    place.write("scripts/list.py", "import os; print(os.listdir('hidden'), os.listdir('hidden/shown/keys'))");
    let said = say(&mut place.waxcell(&["run", "scripts/list.py"]));
    assert_eq!(said.out(), "['shown'] ['id_rsa']\n", "{said:?}");
    let said = say(&mut place.waxcell(&["run", "scripts/look.py", "hidden/shown/keys/id_rsa"]));
    assert_eq!(said.out(), "-\n", "{said:?}");
}

#[test]
fn places_of_the_system_are_as_the_policy_says() {
    finds("", &[("r", "/etc/passwd"), ("r", "/usr/share"), ("w", "/tmp"), ("w", "/var/tmp")]);
    finds("{path: /usr/share, access: none}", &[("-", "/usr/share"), ("r", "/usr/bin")]);
    finds("{path: /etc/passwd, access: none}", &[("-", "/etc/passwd"), ("r", "/etc/group")]);
    finds("{path: /etc, access: none}", &[("-", "/etc/passwd"), ("-", "/etc/ssl/certs")]);
    finds("{path: /var/tmp, access: none}", &[("-", "/var/tmp"), ("w", "/tmp")]);
    finds("{path: /var, access: read}", &[("r", "/var/lib"), ("w", "/var/tmp")]);
    // The host's own file, not the run's.
    let place = place("{path: /etc/passwd, access: read}");
    place.write("scripts/cat.py", "print(open('/etc/passwd').read(), end='')");
    let said = say(&mut place.waxcell(&["run", "scripts/cat.py"]));
    assert_eq!(said.out(), std::fs::read_to_string("/etc/passwd").unwrap(), "{said:?}");
}

#[test]
fn what_no_run_can_have_is_refused_by_name() {
    for (paths, words) in [
        ("/usr", ["security_policy.yml:2:19", "`/usr`", "programs of the system"]),
        ("/usr/lib/python3", [":2:19", "`/usr/lib/python3`", "programs of the system"]),
        ("{path: /usr, access: none}", [":2:26", "`/usr`", "cannot start without"]),
        ("{path: /home, access: read}", [":2:26", "`/home`", "the script's own home"]),
        (".", [":2:19", "`.` holds this policy", "path: security_policy.yml, access: read"]),
    ] {
        refuses(&place(paths), &words);
    }
}

#[test]
fn a_link_to_what_no_run_can_have_is_refused_as_well() {
    for (to, access, words) in [
        ("/usr", "write", "programs of the system in `/usr"),
        ("/usr/lib", "write", "programs of the system in `/usr/lib`"),
        ("/usr", "none", "hides `/usr`"),
        ("/home", "read", "the script's own home"),
    ] {
        let place = place(&format!("{{path: ./link, access: {access}}}"));
        symlink(to, place.project().join("link")).unwrap();
        refuses(&place, &["`./link` (line 2 of the policy)", words]);
    }
}

#[test]
fn nothing_of_the_record_is_shown_or_written() {
    let place = place("");
    place.waxcell(&["run", "scripts/look.py"]).output().unwrap();
    let journal = place.journal();
    assert!(journal.is_dir());
    for (entry, words) in [
        (format!("{}", journal.display()), "write to waxcell's own state"),
        (format!("{{path: {}, access: read}}", journal.display()), "lies in waxcell's own state"),
        (
            format!("{{path: {}, access: read}}", journal.parent().unwrap().display()),
            "lies in waxcell's own state",
        ),
    ] {
        place.write("security_policy.yml", format!("filesystem:\n  allowed_paths: [{entry}]\n"));
        refuses(&place, &[words]);
    }
    place.check_journal();
}

#[test]
fn one_place_by_two_names_has_one_meaning() {
    let place = place("./open, {path: ./link, access: read}");
    symlink("open", place.project().join("link")).unwrap();
    refuses(&place, &["`./link`", "`./open`", "contradict"]);
    // The control: two names that agree.
    place.write(
        "security_policy.yml",
        "filesystem:\n  allowed_paths: [./open, ./link]\n  blocked_operations: []\n",
    );
    let said = say(&mut place.waxcell(&["run", "scripts/look.py", "open", "link"]));
    assert_eq!(said.out(), "w w\n", "{said:?}");
}

#[test]
fn what_is_withheld_below_a_writable_folder_stays_where_it_is() {
    let kept = "., {path: security_policy.yml, access: read}, {path: ./open/year/votes, access: read}";
    let place = place(kept);
    for file in ["open/year/votes/1", "free/folder/x", ".git/hooks/pre-push.sample", "some/keys/id_rsa"] {
        place.write(file, "x");
    }
    place.write(
        "scripts/move.py",
        "
import os, sys
for path in sys.argv[1:]:
    try: os.rename(path, path + '.away')
    except OSError: print('no')
    else: print('moved')
open('open/year/beside', 'w').close(); os.rename('open/year/beside', 'open/year/again')
",
    );
    let folders = ["open/year/votes", "open/year", "open", ".git", "some/keys", "some", "scripts"];
    let said = say(place.waxcell(&["run", "scripts/move.py"]).args(folders).arg("free/folder"));
    // The last one is the control: nothing is withheld in it.
    assert_eq!(said.out(), "no\nno\nno\nno\nno\nno\nno\nmoved\n", "{said:?}");
    assert!(
        place.has("open/year/votes/1") && place.has("open/year/again") && place.has("free/folder.away/x")
    );
}

#[test]
fn a_policy_that_would_come_first_cannot_be_made() {
    let policy = "filesystem: {allowed_paths: [., {path: ./config, access: read}]}";
    let place = place("./open");
    place.write("config/security_policy.yml", policy);
    std::fs::remove_file(place.project().join("security_policy.yml")).expect("removed");
    refuses(&place, &["comes before this one", "/security_policy.yml", "line 1"]);
    // The control: what comes after it does no harm.
    place.write("security_policy.yml", policy.replace("./config", "security_policy.yml"));
    std::fs::remove_dir_all(place.project().join("config")).expect("removed");
    assert_eq!(say(&mut place.waxcell(&["run", "scripts/look.py"])).code, 0);
}
