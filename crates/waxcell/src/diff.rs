//! What differs between two texts, line by line; also as a unified diff, which `patch -p0` and `git apply -p0` take.

/// Lines shown around a change.
const CONTEXT: usize = 3;
/// Above so many pairs of lines, what lies between the first and the last change is told as one.
const MOST_PAIRS: usize = 4_000_000;

/// Changes that are near each other, with the lines around them.
pub(crate) struct Hunk<'t> {
    /// First line, counted from 1, and number of lines, before and after. Of no lines, the one before them is told.
    pub(crate) place: [usize; 4],
    pub(crate) lines: Vec<Step<'t>>,
}

/// A line of one text or of both, with its end; a last line without one is another than one with it.
#[derive(Clone, Copy)]
pub(crate) enum Step<'t> {
    Same(&'t str),
    Gone(&'t str),
    New(&'t str),
}

/// The diff from `old` to `new`; empty if they are the same. `None` for a name: there is no such file.
pub(crate) fn unified(old: (Option<&str>, &str), new: (&str, &str)) -> String {
    let mut out = String::new();
    for Hunk { place: [old, gone, new, added], lines } in hunks(old.1, new.1) {
        out.push_str(&format!("@@ -{old},{gone} +{new},{added} @@\n"));
        for step in lines {
            let (mark, line) = match step {
                Step::Same(line) => (' ', line),
                Step::Gone(line) => ('-', line),
                Step::New(line) => ('+', line),
            };
            out.push(mark);
            out.push_str(line);
            if !line.ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    if out.is_empty() {
        return out;
    }
    format!("--- {}\n+++ {}\n{out}", old.0.unwrap_or("/dev/null"), new.0)
}

/// The changes that lead from one text to the other.
pub(crate) fn hunks<'t>(before: &'t str, after: &'t str) -> Vec<Hunk<'t>> {
    let steps = steps(&lines(before), &lines(after));
    let mut shown = vec![false; steps.len()];
    for (at, step) in steps.iter().enumerate() {
        if !matches!(step, Step::Same(_)) {
            shown[at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(steps.len())].fill(true);
        }
    }
    let mut hunks: Vec<Hunk<'_>> = Vec::new();
    let (mut old, mut new) = (1, 1);
    let mut is_open = false;
    for (step, is_shown) in steps.into_iter().zip(shown) {
        let (gone, added) = match step {
            Step::Same(_) => (1, 1),
            Step::Gone(_) => (1, 0),
            Step::New(_) => (0, 1),
        };
        if is_shown && !is_open {
            hunks.push(Hunk { place: [old, 0, new, 0], lines: Vec::new() });
        }
        is_open = is_shown;
        if let Some(hunk) = hunks.last_mut().filter(|_| is_shown) {
            (hunk.place[1], hunk.place[3]) = (hunk.place[1] + gone, hunk.place[3] + added);
            hunk.lines.push(step);
        }
        (old, new) = (old + gone, new + added);
    }
    for Hunk { place: [old, gone, new, added], .. } in &mut hunks {
        (*old, *new) = (*old - usize::from(*gone == 0), *new - usize::from(*added == 0));
    }
    hunks
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn steps<'t>(before: &[&'t str], after: &[&'t str]) -> Vec<Step<'t>> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[head..], &after[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let mut steps: Vec<Step<'t>> = before[..head].iter().map(|line| Step::Same(line)).collect();
    if (old.len() + 1).saturating_mul(new.len() + 1) <= MOST_PAIRS {
        common(old, new, &mut steps);
    } else {
        steps.extend(old.iter().map(|line| Step::Gone(line)));
        steps.extend(new.iter().map(|line| Step::New(line)));
    }
    steps.extend(before[before.len() - tail..].iter().map(|line| Step::Same(line)));
    steps
}

/// By the length of the longest common part of each pair of ends.
fn common<'t>(old: &[&'t str], new: &[&'t str], steps: &mut Vec<Step<'t>>) {
    let width = new.len() + 1;
    let mut longest = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = match old[i] == new[j] {
                true => longest[(i + 1) * width + j + 1] + 1,
                false => longest[(i + 1) * width + j].max(longest[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            steps.push(Step::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]
        {
            steps.push(Step::Gone(old[i]));
            i += 1;
        } else {
            steps.push(Step::New(new[j]));
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(old: &str, new: &str) -> String {
        unified((Some("p"), old), ("p", new))
    }

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(diff(old, old), "");
        let head = "--- p\n+++ p\n";
        assert_eq!(
            diff(old, &old.replace('5', "x")),
            format!("{head}@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n")
        );
        assert_eq!(diff(old, &old.replace("1\n", "")), format!("{head}@@ -1,4 +1,3 @@\n-1\n 2\n 3\n 4\n"));
        assert_eq!(
            diff("a", "a\nb\n"),
            format!("{head}@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n")
        );
        assert_eq!(unified((None, ""), ("p", "a\nb\n")), "--- /dev/null\n+++ p\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    }

    #[test]
    fn changes_far_from_each_other_are_hunks_of_their_own() {
        let old: String = (0..30).map(|n| format!("{n}\n")).collect();
        let near = diff(&old, &old.replace("\n8\n", "\nx\n").replace("\n14\n", "\ny\n"));
        assert_eq!(near.matches("@@ -").count(), 1, "{near}");
        let far = diff(&old, &old.replace("\n8\n", "\nx\n").replace("\n20\n", "\ny\n"));
        assert_eq!(far.matches("@@ -").count(), 2, "{far}");
        assert!(far.contains("@@ -6,7 +6,7 @@") && far.contains("@@ -18,7 +18,7 @@"), "{far}");
    }

    /// Whatever the texts are, the lines of the difference make one of the other.
    #[test]
    fn a_difference_leads_from_one_to_the_other() {
        let mut state = 7u64;
        let mut next = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..300 {
            let mut text = || (0..next(12)).map(|_| format!("{}\n", next(4))).collect::<String>();
            let (before, after) = (text(), text());
            let (of_before, of_after) = (lines(&before), lines(&after));
            let steps = steps(&of_before, &of_after);
            let side = |keep: fn(&Step<'_>) -> bool| {
                let kept = steps.iter().filter(|step| keep(step));
                kept.map(|(Step::Same(line) | Step::Gone(line) | Step::New(line))| *line).collect::<String>()
            };
            assert_eq!(side(|step| !matches!(step, Step::New(_))), before);
            assert_eq!(side(|step| !matches!(step, Step::Gone(_))), after);
        }
    }
}
