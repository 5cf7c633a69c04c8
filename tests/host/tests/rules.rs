// SPDX-License-Identifier: GPL-2.0

//! The rules of send-receive-reply: who may finish a transaction, where a connection stands, which
//! time-outs run, what a priority from the network counts as.

use proptest::prelude::*;
use qnet_host_tests::proto::kif::{
    connection::{self, Begin},
    event::{self, Invalid},
    priority,
    transaction::{Event, State, TimeoutStates, TooLate},
};

const EVENTS: [Event; 5] = [
    Event::Receive,
    Event::Answer,
    Event::Abandon,
    Event::ServerGone,
    Event::NotQueued,
];

#[test]
fn a_message_is_received_once_and_finished_once() {
    assert_eq!(State::Sent.step(Event::Receive), Ok(State::Received));
    assert_eq!(State::Received.step(Event::Receive), Err(TooLate));
    for event in EVENTS {
        assert_eq!(State::Finished.step(event), Err(TooLate), "{event:?}");
    }
}

#[test]
fn what_was_received_can_no_longer_be_refused_by_the_queue() {
    assert_eq!(State::Sent.step(Event::NotQueued), Ok(State::Finished));
    assert_eq!(State::Received.step(Event::NotQueued), Err(TooLate));
}

#[test]
fn either_side_may_finish_in_either_state() {
    for state in [State::Sent, State::Received] {
        for event in [Event::Answer, Event::Abandon, Event::ServerGone] {
            assert_eq!(
                state.step(event),
                Ok(State::Finished),
                "{state:?} {event:?}"
            );
        }
    }
}

proptest! {
    /// However events are interleaved, one of them decides, and nothing happens after it.
    #[test]
    fn exactly_one_event_decides(order in proptest::collection::vec(0usize..5, 0..40)) {
        let mut state = State::Sent;
        let mut decided = 0;
        for index in order {
            match state.step(EVENTS[index]) {
                Ok(State::Finished) => {
                    decided += 1;
                    state = State::Finished;
                }
                Ok(next) => state = next,
                Err(TooLate) => {}
            }
        }
        prop_assert!(decided <= 1);
        prop_assert_eq!(decided == 1, state == State::Finished);
    }

    #[test]
    fn a_claimed_priority_is_brought_into_range(claimed in any::<i32>()) {
        let priority = priority::clamp(claimed);
        prop_assert!((priority::MIN..=priority::MAX).contains(&priority));
        if (1..=255).contains(&claimed) {
            prop_assert_eq!(i32::from(priority), claimed);
        }
    }

    #[test]
    fn only_known_bits_are_time_out_states(bits in any::<u32>()) {
        prop_assert_eq!(TimeoutStates::new(bits).is_some(), bits & !0x70 == 0);
    }
}

#[test]
fn a_time_out_runs_in_its_states() {
    let states = |bits| TimeoutStates::new(bits).expect("known bits");
    let send = states(TimeoutStates::SEND);
    let reply = states(TimeoutStates::REPLY);
    let receive = states(TimeoutStates::RECEIVE);
    let both = states(TimeoutStates::SEND | TimeoutStates::REPLY);

    assert!(send.runs_in(State::Sent, false) && !send.runs_in(State::Received, false));
    assert!(!reply.runs_in(State::Sent, false) && reply.runs_in(State::Received, false));
    assert!(both.runs_in(State::Sent, false) && both.runs_in(State::Received, false));
    // Over the network the two states look alike.
    assert!(send.runs_in(State::Sent, true) && reply.runs_in(State::Sent, true));
    assert!(!receive.runs_in(State::Sent, true) && receive.runs_in_receive());
    for any in [send, reply, both, receive] {
        assert!(!any.runs_in(State::Finished, false));
    }
    assert!(send.cares_for_receive() && reply.cares_for_receive());
    assert!(!both.cares_for_receive() && !receive.cares_for_receive());
}

/// A CONNECT of the send 5 that goes over the session 3.
fn connecting() -> connection::State {
    let (state, begin) = connection::State::Idle.begin(5);
    assert_eq!(begin, Begin::Connect);
    state.carried_by(5, 3).expect("it is its turn")
}

#[test]
fn the_first_sender_connects_and_the_others_wait() {
    use connection::State;
    let state = connecting();
    assert_eq!(state.begin(6), (state, Begin::Wait));
    let state = state.succeeded(7, 3).expect("it was asked for");
    assert_eq!(
        state.begin(6).1,
        Begin::Send {
            server_id: 7,
            session: 3
        }
    );
    assert_eq!(state.succeeded(8, 3), None);
    assert_eq!(State::Idle.succeeded(7, 3), None);
    assert_eq!(State::Dead.begin(6), (State::Dead, Begin::Dead));
}

#[test]
fn a_connection_dies_with_its_session_and_no_other() {
    use connection::State;
    let connected = connecting().succeeded(7, 3).expect("it was asked for");
    assert_eq!(connected.session_ended(3), Some(State::Dead));
    assert_eq!(connected.session_ended(4), None);
    assert_eq!(connecting().session_ended(3), Some(State::Idle));
    assert_eq!(State::Dead.session_ended(3), None);
}

/// The end of an older session, and a sender whose turn is over, must not take the turn from the
/// one that is connecting now: it would wait for ever.
#[test]
fn a_connect_is_ended_by_its_own_session_and_attempt_only() {
    use connection::State;
    let state = connecting();
    assert_eq!(state.session_ended(2), None);
    assert_eq!(state.succeeded(7, 2), None);
    assert_eq!(state.refused(2), None);
    assert_eq!(state.failed(4), None);
    assert_eq!(state.carried_by(4, 9), None);
    assert_eq!(state.refused(3), Some(State::Idle));
    assert_eq!(state.failed(5), Some(State::Idle));
    // Before its session is chosen, no session's end concerns it.
    let (state, _) = State::Idle.begin(5);
    assert_eq!(state.session_ended(3), None);
}

#[test]
fn the_pulse_of_an_event_goes_over_a_connection_that_has_a_name() {
    let pulse = |coid, code, priority| event::Event::new(4, coid, 0, code, priority);
    let side_channel = 3 | 0x4000_0000;
    for coid in [0, 3, side_channel] {
        assert!(pulse(coid, 1, 10).is_ok(), "{coid}");
    }
    for coid in [-1, i32::MIN] {
        assert_eq!(pulse(coid, 1, 10), Err(Invalid));
    }
    assert_eq!(pulse(3, -1, 10), Err(Invalid));
    assert_eq!(pulse(3, 1, 0), Err(Invalid));
}

#[test]
fn the_lower_half_of_an_events_value_travels() {
    let over_anything = 0x5a5a_5a5a_0000_0000 | i64::from(u32::MAX - 41);
    for notify in [2, 3, 4] {
        let event = event::Event::new(notify, 1, over_anything, 1, 10).unwrap();
        assert_eq!(
            event.to_wire(10).map(|event| event.value),
            Ok(-42),
            "{notify}"
        );
    }
}
