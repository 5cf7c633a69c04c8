// SPDX-License-Identifier: GPL-2.0

//! Results in KTAP version 1, which the kernel's kunit.py reads.

use std::{
    fmt::Display,
    io::Write, //
};

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passed.
    Passed,
    /// It does not apply here, for this reason.
    Skipped(String),
    /// It failed, for this reason.
    Failed(String),
}

/// A report that is being written: suites, each with cases.
#[derive(Debug)]
pub struct Report<W: Write> {
    out: W,
    suite: String,
    suites: usize,
    cases: usize,
    failed_cases: usize,
    failed_suites: usize,
}

impl<W: Write> Report<W> {
    /// Begins a report of so many suites.
    pub fn new(mut out: W, suites: usize) -> std::io::Result<Self> {
        writeln!(out, "KTAP version 1\n1..{suites}")?;
        out.flush()?;
        Ok(Self {
            out,
            suite: String::new(),
            suites: 0,
            cases: 0,
            failed_cases: 0,
            failed_suites: 0,
        })
    }

    /// Begins a suite of so many cases.
    pub fn suite(&mut self, name: &str, cases: usize) -> std::io::Result<()> {
        self.suite = name.to_owned();
        self.cases = 0;
        self.failed_cases = 0;
        writeln!(
            self.out,
            "    KTAP version 1\n    # Subtest: {name}\n    1..{cases}"
        )?;
        self.out.flush()
    }

    /// Writes a line that explains the next result.
    pub fn diagnostic(&mut self, words: impl Display) -> std::io::Result<()> {
        for line in words.to_string().lines() {
            writeln!(self.out, "    # {line}")?;
        }
        self.out.flush()
    }

    /// Writes the result of the next case.
    pub fn case(&mut self, name: &str, verdict: &Verdict) -> std::io::Result<()> {
        self.cases += 1;
        let number = self.cases;
        match verdict {
            Verdict::Passed => writeln!(self.out, "    ok {number} {name}")?,
            Verdict::Skipped(why) => {
                writeln!(self.out, "    ok {number} {name} # SKIP {}", one_line(why))?;
            }
            Verdict::Failed(why) => {
                self.failed_cases += 1;
                self.diagnostic(format_args!("{name}: {why}"))?;
                writeln!(self.out, "    not ok {number} {name}")?;
            }
        }
        self.out.flush()
    }

    /// Ends the suite.
    pub fn end_suite(&mut self) -> std::io::Result<()> {
        self.suites += 1;
        let word = if self.failed_cases == 0 {
            "ok"
        } else {
            self.failed_suites += 1;
            "not ok"
        };
        writeln!(self.out, "{word} {} {}", self.suites, self.suite)?;
        self.out.flush()
    }

    /// How many suites failed.
    pub fn failed(&self) -> usize {
        self.failed_suites
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format() {
        let mut text = Vec::new();
        let mut report = Report::new(&mut text, 2).unwrap();
        report.suite("one", 3).unwrap();
        report.case("a", &Verdict::Passed).unwrap();
        report.case("b", &Verdict::Failed("1\n2".into())).unwrap();
        report
            .case("c", &Verdict::Skipped("not\nhere".into()))
            .unwrap();
        report.end_suite().unwrap();
        report.suite("two", 1).unwrap();
        report.case("d", &Verdict::Passed).unwrap();
        report.end_suite().unwrap();
        assert_eq!(report.failed(), 1);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "KTAP version 1\n1..2\n    KTAP version 1\n    # Subtest: one\n    1..3\n    ok 1 a\n    \
             # b: 1\n    # 2\n    not ok 2 b\n    ok 3 c # SKIP not here\nnot ok 1 one\n    \
             KTAP version 1\n    # Subtest: two\n    1..1\n    ok 1 d\nok 2 two\n"
        );
    }
}
