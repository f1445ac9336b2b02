//! Texts by chance, the same in every run: versions, specifiers, markers, with what is rare in the wild and allowed.

/// Numbers that are the same in every run (Knuth's multiplier).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Chance {
        Chance(0x5eed)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn number(&mut self) -> &'static str {
        self.of(&[
            "0",
            "0",
            "1",
            "1",
            "2",
            "3",
            "10",
            "01",
            "00",
            "2024",
            "18446744073709551615",
            "18446744073709551616",
        ])
    }

    fn release(&mut self) -> String {
        let numbers: Vec<&str> = (0..=self.below(3)).map(|_| self.number()).collect();
        numbers.join(".")
    }

    fn part(&mut self, words: &[&str], rarity: usize) -> String {
        if !self.one_in(rarity) {
            return String::new();
        }
        let separators = ["", "", ".", "-", "_"];
        let (before, word, between) = (self.of(&separators), self.of(words), self.of(&separators));
        let number = if self.one_in(4) { "" } else { self.number() };
        format!("{before}{word}{between}{number}")
    }

    /// A version, as odd as it may be written.
    pub(crate) fn version(&mut self) -> String {
        let mut text = String::new();
        text += self.of(&["", "", "", "", "", "v", "V", " "]);
        if self.one_in(8) {
            text += self.of(&["0!", "1!", "01!", "2!"]);
        }
        text += &self.release();
        text += &self.part(&["a", "b", "rc", "c", "alpha", "beta", "pre", "preview", "RC", "Alpha"], 3);
        if self.one_in(8) {
            text += self.of(&["-0", "-1", "-12"]);
        } else {
            text += &self.part(&["post", "rev", "r", "POST"], 4);
        }
        text += &self.part(&["dev", "DEV"], 4);
        if self.one_in(4) {
            text += self.of(&[
                "+cpu",
                "+1",
                "+01",
                "+cu118",
                "+Ubuntu-1",
                "+a.1",
                "+a_b",
                "+1.a",
                "+10",
                "+a.b.1",
            ]);
        }
        text + self.of(&["", "", "", " ", "\n"])
    }

    /// A version, or nearly one.
    pub(crate) fn text_like_a_version(&mut self) -> String {
        let mut text = self.version();
        for _ in 0..self.below(3) {
            let at = self.below(text.len() + 1);
            if !text.is_char_boundary(at) {
                continue;
            }
            if self.one_in(2) && at < text.len() {
                text.remove(at);
            } else {
                text.insert_str(
                    at,
                    self.of(&[".", "-", "_", "+", "!", "a", "rc", "post", "dev", "1", "*", " ", "v", "ü"]),
                );
            }
        }
        text
    }

    /// A list of specifiers, or nearly one.
    pub(crate) fn specifiers(&mut self) -> String {
        let mut list = Vec::new();
        for _ in 0..=self.below(2) {
            let operator = self.of(&["==", "!=", "<=", ">=", "<", ">", "~=", "==", "~=", "===", "=", ""]);
            let version = if self.one_in(2) { self.release() } else { self.version() };
            let star = if self.one_in(5) { ".*" } else { "" };
            list.push(format!("{operator}{}{}{star}", self.of(&["", "", " "]), version.trim()));
        }
        list.join(self.of(&[",", ", ", " ,"]))
    }

    /// A version near to those in a list of specifiers, or any.
    pub(crate) fn near(&mut self, list: &str) -> String {
        let first = list.split(',').next().unwrap_or_default();
        let bound = first.trim_matches(|letter: char| "=!<>~*. ".contains(letter));
        let suffix = self.of(&["", "", "", ".0", ".1", "a1", "rc1", ".post1", ".dev1", "+cpu", ".1.dev0"]);
        let near = format!("{bound}{suffix}");
        if self.one_in(3) || waxcell_dependencies::Version::parse(&near).is_none() {
            self.version()
        } else {
            near
        }
    }

    /// A marker of what is known.
    pub(crate) fn marker(&mut self) -> String {
        let mut text = String::new();
        let mut open = 0;
        for nth in 0..=self.below(4) {
            if nth > 0 {
                text += self.of(&[" and ", " or "]);
            }
            if self.one_in(4) {
                text += "(";
                open += 1;
            }
            text += &self.comparison();
            if open > 0 && self.one_in(2) {
                text += ")";
                open -= 1;
            }
        }
        text + &")".repeat(open)
    }

    fn comparison(&mut self) -> String {
        let quote = self.of(&["'", "\""]);
        match self.below(4) {
            0 => {
                let operator = self.of(&["==", "!=", "<=", ">=", "<", ">", "~="]);
                let version = self.of(&["3.8", "3.11", "3.12", "3.11.2", "3.10", "4.0"]);
                match self.one_in(4) && operator != "~=" {
                    true => format!("{quote}{version}{quote} {operator} python_version"),
                    false => format!("python_version{operator}{quote}{version}{quote}"),
                }
            }
            1 => format!(
                "extra {} {quote}{}{quote}",
                self.of(&["==", "!="]),
                self.of(&["http", "HTTP", "other"])
            ),
            2 => format!(
                "sys_platform {} {quote}{}{quote}",
                self.of(&["in", "not in", "not  in"]),
                self.of(&["linux darwin", "win32"])
            ),
            _ => {
                let name = self.of(&[
                    "os_name",
                    "sys_platform",
                    "platform_system",
                    "platform_machine",
                    "platform_python_implementation",
                    "implementation_name",
                ]);
                let value = self.of(&["posix", "linux", "Linux", "x86_64", "CPython", "cpython", "nt"]);
                format!("{name} {} {quote}{value}{quote}", self.of(&["==", "!="]))
            }
        }
    }

    /// A requirement, or nearly one.
    pub(crate) fn requirement(&mut self) -> String {
        let name = self.of(&["requests", "Zope.Interface", "a", "a_b-c", "a-", "-a", "2to3", "a b", ""]);
        let extras = self.of(&["", "", "[socks]", "[a,B_c]", "[ a , b ]", "[]", "[a", "[a b]", "[,]"]);
        let versions = match self.below(6) {
            0 => String::new(),
            1 => format!("({})", self.specifiers()),
            2 => " @ https://example.com/a.zip".to_owned(),
            _ => self.specifiers(),
        };
        let marker = if self.one_in(3) { format!(" ; {}", self.marker()) } else { String::new() };
        format!("{name}{}{extras}{}{versions}{marker}", self.of(&["", " "]), self.of(&["", " "]))
    }
}
