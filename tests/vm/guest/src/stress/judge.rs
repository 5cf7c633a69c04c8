// SPDX-License-Identifier: GPL-2.0

//! Compares both sides of every message, when everybody has ended.

use std::{
    collections::BTreeMap,
    sync::atomic::Ordering::SeqCst, //
};

use qnet::{
    Error,
    States, //
};

use super::{
    ledger::{
        Count,
        Ledger,
        Record,
        DETACH,
        EVENT,
        RIGHT,
        SERVER,
        SIGNAL,
        WRONG, //
    },
    plan::{
        Kind,
        Plan, //
    },
};
use crate::{
    ktap::{
        Report,
        Verdict, //
    },
    Outcome, //
};

/// How many messages are shown that break a rule.
const SHOWN: usize = 10;

/// What the ledger says of a message, as numbers.
#[derive(Clone, Copy, Debug)]
struct Account {
    plan: Plan,
    /// 0, [`RIGHT`], [`WRONG`], or the error number, negative.
    result: i32,
    causes: u16,
    received: u16,
    tried: u16,
    replied: u16,
    failed: u16,
    released: u16,
    /// Its sender was killed.
    ended: bool,
}

impl Account {
    fn of(ledger: &Ledger, record: &Record) -> Self {
        Self {
            plan: Plan::of(record),
            result: record.result.load(SeqCst),
            causes: record.causes.load(SeqCst),
            received: record.received.load(SeqCst),
            tried: record.tried.load(SeqCst),
            replied: record.replied.load(SeqCst),
            failed: record.failed.load(SeqCst),
            released: record.released.load(SeqCst),
            ended: ledger.has_ended(record.life.load(SeqCst)),
        }
    }

    fn error(&self) -> Option<Error> {
        (self.result < 0).then(|| Error::from_errno(-self.result))
    }

    fn received_once(&self) -> bool {
        self.received <= 1
    }

    /// At most one answer succeeded, whoever made it.
    fn answered_once(&self) -> bool {
        self.replied + self.failed + self.released <= 1
    }

    /// The call ended, unless its process did; with the right reply, or with an error.
    fn ended_well(&self) -> bool {
        match self.result {
            0 => self.ended || self.plan.kind == Kind::Delivered,
            WRONG => false,
            _ => true,
        }
    }

    /// An error is one that what was done to the message explains.
    fn is_documented(&self) -> bool {
        let Some(error) = self.error() else {
            return true;
        };
        let because = |causes| self.causes & causes != 0;
        match error {
            // A pulse waits for nothing on its own node.
            Error::EINTR => because(SIGNAL | EVENT) && (self.plan.remote || !self.plan.is_pulse()),
            Error::ETIMEDOUT => self.plan.states != 0,
            Error::ESRCH => because(SERVER),
            Error::EBADF => because(SERVER | DETACH),
            // The queue is full.
            Error::EAGAIN => self.plan.kind == Kind::Pulse,
            error => self.plan.kind == Kind::Fail && error == self.plan.failure(),
        }
    }

    /// Who has an answer had it from a server that received the message; and on one node, where an
    /// answer either comes in time or not, whoever's server has answered has it.
    fn both_agree(&self) -> bool {
        if self.plan.is_pulse() {
            return self.error().is_none() || self.received == 0;
        }
        let served = self.received == 1 && self.tried >= 1;
        let failure = -self.plan.failure().errno();
        let given =
            self.result == RIGHT || (self.plan.kind == Kind::Fail && self.result == failure);
        if given && !served {
            return false;
        }
        if self.plan.remote || self.result == 0 {
            return true;
        }
        let left = matches!(self.error(), Some(Error::EINTR | Error::ETIMEDOUT));
        (self.replied == 0 || self.result == RIGHT)
            && (self.failed == 0 || self.result == failure)
            && (self.released == 0 || left)
    }

    /// On one node a time-out that counts only until a message is received says that it was not.
    fn was_withdrawn(&self) -> bool {
        let only_send = self.plan.states == States::SEND.bits() && !self.plan.remote;
        let timed_out = self.error() == Some(Error::ETIMEDOUT);
        !(only_send && timed_out && self.received > 0)
    }
}

/// Whether an account is as a rule wants it.
type Rule = fn(&Account) -> bool;

/// The rules, and what they say.
const RULES: &[(&str, Rule)] = &[
    (
        "no message or pulse was received twice",
        Account::received_once,
    ),
    ("no message was answered twice", Account::answered_once),
    (
        "each call has ended, with the right reply or an error",
        Account::ended_well,
    ),
    (
        "each error is one that is documented for what was done",
        Account::is_documented,
    ),
    (
        "client and server agree on each answer",
        Account::both_agree,
    ),
    (
        "what timed out before it was received was not received",
        Account::was_withdrawn,
    ),
];

/// A message, in words.
pub(super) fn words(ledger: &Ledger, id: u32) -> String {
    match ledger.record(id) {
        Some(record) => format!("message {id}: {:?}", Account::of(ledger, record)),
        None => format!("message {id}, of which nothing is known"),
    }
}

/// Prints a table and the results: whether all is well. `ended`: everybody has ended in time.
pub(super) fn report(ledger: &Ledger, ended: bool) -> Outcome<bool> {
    table(ledger);
    let mut report = Report::new(std::io::stdout(), 1)?;
    report.suite("stress", RULES.len() + 3)?;
    for (name, rule) in RULES {
        let broken: Vec<_> = ledger
            .records()
            .filter(|(_, record)| !rule(&Account::of(ledger, record)))
            .map(|(id, _)| id)
            .collect();
        report.case(name, &verdict(ledger, &broken))?;
    }
    let check = |good: bool, words: &str| match good {
        true => Verdict::Passed,
        false => Verdict::Failed(words.to_owned()),
    };
    report.case("nobody is stuck", &check(ended, "see above"))?;
    let quiet = ledger.counted(Count::Complaints) == 0;
    report.case(
        "nobody complains",
        &check(quiet, "see the complaints above"),
    )?;
    let room = !ledger.full.load(SeqCst);
    report.case("the ledger had room", &check(room, "it is full"))?;
    report.end_suite()?;
    Ok(report.failed() == 0)
}

fn verdict(ledger: &Ledger, broken: &[u32]) -> Verdict {
    if broken.is_empty() {
        return Verdict::Passed;
    }
    let some: Vec<_> = broken
        .iter()
        .take(SHOWN)
        .map(|id| words(ledger, *id))
        .collect();
    Verdict::Failed(format!("{} in all\n{}", broken.len(), some.join("\n")))
}

/// Prints how many messages there were and how they ended, and what was done to them.
fn table(ledger: &Ledger) {
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let (mut received, mut answered, mut all) = (0, 0, 0);
    for (_, record) in ledger.records() {
        let account = Account::of(ledger, record);
        let place = if account.plan.remote {
            "remote"
        } else {
            "local"
        };
        let how = match (account.result, account.error()) {
            (_, Some(error)) => format!("{error:?}"),
            (RIGHT, _) => "answered".to_owned(),
            (WRONG, _) => "WRONG".to_owned(),
            _ if account.plan.kind == Kind::Delivered => "pulse by event".to_owned(),
            _ => "sender killed".to_owned(),
        };
        all += 1;
        received += u64::from(account.received);
        answered += u64::from(account.replied + account.failed + account.released);
        *ends.entry(format!("{place}: {how}")).or_default() += 1;
    }
    let sums = [
        ("messages and pulses", all),
        ("received", received),
        ("answered by servers", answered),
    ];
    let lines = sums
        .into_iter()
        .map(|(label, count)| (label.to_owned(), count));
    let ends = ends.into_iter();
    let counts = ledger
        .counts()
        .map(|(label, count)| (label.to_owned(), count));
    for (label, count) in lines.chain(ends).chain(counts) {
        println!("# {label:40} {count:9}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message that was answered as it should be.
    fn good(kind: Kind, remote: bool) -> Account {
        Account {
            plan: Plan::plain(kind, remote),
            result: RIGHT,
            causes: 0,
            received: 1,
            tried: 1,
            replied: 1,
            failed: 0,
            released: 0,
            ended: false,
        }
    }

    /// One whose sender had this error, and that nobody answered.
    fn failed(error: Error, causes: u16) -> Account {
        Account {
            result: -error.errno(),
            causes,
            replied: 0,
            ..good(Kind::Reply, false)
        }
    }

    /// The rules that an account breaks have these numbers.
    #[track_caller]
    fn breaks(account: &Account, wanted: &[usize]) {
        let rules = RULES.iter().enumerate();
        let broken = rules.filter(|(_, (_, rule))| !rule(account));
        let numbers: Vec<_> = broken.map(|(number, _)| number).collect();
        assert_eq!(numbers, wanted, "{account:?}");
    }

    #[test]
    fn answers() {
        let account = good(Kind::Reply, false);
        breaks(&account, &[]);
        breaks(
            &Account {
                received: 2,
                ..account
            },
            &[0, 4],
        );
        breaks(
            &Account {
                replied: 2,
                ..account
            },
            &[1],
        );
        breaks(
            &Account {
                failed: 1,
                ..account
            },
            &[1, 4],
        );
        breaks(
            &Account {
                result: WRONG,
                ..account
            },
            &[2, 4],
        );
        breaks(
            &Account {
                result: 0,
                ..account
            },
            &[2],
        );
        breaks(
            &Account {
                result: 0,
                ended: true,
                ..account
            },
            &[],
        );
        breaks(
            &Account {
                received: 0,
                tried: 0,
                replied: 0,
                ..account
            },
            &[4],
        );
    }

    #[test]
    fn errors() {
        for (error, cause) in [
            (Error::EINTR, SIGNAL),
            (Error::EINTR, EVENT),
            (Error::ESRCH, SERVER),
            (Error::EBADF, SERVER),
            (Error::EBADF, DETACH),
        ] {
            breaks(&failed(error, cause), &[]);
            breaks(&failed(error, 0), &[3]);
        }
        breaks(&failed(Error::EHOSTDOWN, u16::MAX), &[3]);
        breaks(&failed(Error::ETIMEDOUT, u16::MAX), &[3]);
        let fails = Plan::plain(Kind::Fail, true);
        let account = failed(fails.failure(), 0);
        breaks(&account, &[3]);
        breaks(
            &Account {
                plan: fails,
                failed: 1,
                ..account
            },
            &[],
        );
    }

    /// A reply that was told to be given was not given; across a link that may be.
    #[test]
    fn late_replies() {
        let account = failed(Error::EINTR, SIGNAL);
        breaks(
            &Account {
                replied: 1,
                ..account
            },
            &[4],
        );
        let plan = Plan::plain(Kind::Reply, true);
        breaks(
            &Account {
                replied: 1,
                plan,
                ..account
            },
            &[],
        );
        breaks(
            &Account {
                released: 1,
                ..account
            },
            &[],
        );
    }

    #[test]
    fn time_outs() {
        let mut account = failed(Error::ETIMEDOUT, 0);
        account.plan.states = States::SEND.bits();
        breaks(&account, &[5]);
        account.received = 0;
        breaks(&account, &[]);
        account.plan.states |= States::REPLY.bits();
        account.received = 1;
        breaks(&account, &[]);
    }

    #[test]
    fn pulses() {
        let account = Account {
            tried: 0,
            replied: 0,
            ..good(Kind::Pulse, true)
        };
        breaks(&account, &[]);
        let result = -Error::EINTR.errno();
        let account = Account {
            result,
            causes: SIGNAL,
            ..account
        };
        breaks(&account, &[4]);
        breaks(
            &Account {
                received: 0,
                ..account
            },
            &[],
        );
        let plan = Plan::plain(Kind::Pulse, false);
        breaks(
            &Account {
                received: 0,
                plan,
                ..account
            },
            &[3],
        );
    }
}
