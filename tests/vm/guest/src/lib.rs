// SPDX-License-Identifier: GPL-2.0

//! What the programs share that run inside the test machines.

pub mod agent;
pub mod bulk;
pub mod c;
pub mod cases;
pub mod client;
pub mod figures;
pub mod frames;
pub mod inject;
pub mod ktap;
pub mod netns;
pub mod script;
pub mod server;
pub mod stress;
pub mod sys;
pub mod tap;
pub mod uring;
pub mod world;

/// The result of a test or of a program's step.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Ends a test with words if a condition does not hold.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!("line {}: {}", line!(), format!($($words)+)).into());
        }
    };
}

/// Ends a test with both values if they differ.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr) => {
        $crate::ensure_eq!($left, $right, "{}", stringify!($left))
    };
    ($left:expr, $right:expr, $($words:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                if left != right {
                    let what = format!($($words)+);
                    let words = format!("line {}: {what}: {left:?}, not {right:?}", line!());
                    return Err(words.into());
                }
            }
        }
    };
}
