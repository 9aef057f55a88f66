//! Bringing what is queued to its channels: at least once, each channel for itself.

use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::core::alerting::message::Message;
use crate::monitor::settings::Channel;
use crate::workspace::monitor_state::StateFile;

/// The first wait between two tries of one delivery; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long a delivery is tried again before it is left to the next time.
const PATIENCE: Duration = Duration::from_secs(15);

/// Delivers what is due. A channel that is broken or slow holds up no other; what fails stays queued. Gives what went
/// wrong, by channel.
pub(super) fn deliver(file: &StateFile, channels: &[Channel], clock: &Clock) -> Vec<(String, String)> {
    thread::scope(|scope| {
        let workers: Vec<_> = channels
            .iter()
            .map(|channel| (channel, scope.spawn(move || of_channel(file, channel, clock))))
            .collect();
        let ended = workers.into_iter().filter_map(|(channel, worker)| {
            let error = worker.join().unwrap_or_else(|_| Some("failed in an unforeseen way".to_owned()))?;
            Some((channel.name.clone(), error))
        });
        ended.collect()
    })
}

/// Delivers what waits for one channel, oldest first, until one notice does not get through.
fn of_channel(file: &StateFile, channel: &Channel, clock: &Clock) -> Option<String> {
    let mut is_first = true;
    loop {
        let now = clock.now().timestamp_millis();
        let state = match file.read() {
            Ok(state) => state,
            Err(error) => return Some(error),
        };
        let mut waiting = state.queue.iter().filter(|queued| queued.channel == channel.name);
        let queued = waiting.next()?;
        // After a long failure a channel is tried when its time has come; what is behind waits with the first.
        if is_first && queued.next_try > now {
            return None;
        }
        is_first = false;
        let record = state.channels.iter().find(|record| record.name == channel.name);
        let earlier = record.and_then(|record| {
            let receipts = record.receipts.iter();
            receipts
                .clone()
                .find(|(incident, _)| *incident == queued.message.incident.id)
                .map(|(_, id)| id.clone())
        });
        if let Some(error) = persist(file, channel, &queued.message, earlier.as_deref(), clock) {
            return Some(error);
        }
    }
}

/// Sends one notice, again and again for a while.
fn persist(
    file: &StateFile,
    channel: &Channel,
    message: &Message,
    earlier: Option<&str>,
    clock: &Clock,
) -> Option<String> {
    let (mut waited, mut wait) = (Duration::ZERO, FIRST_WAIT);
    loop {
        let sent = channel.notifier.send(message, earlier);
        let now = clock.now().timestamp_millis();
        let error = match sent {
            // It counts as delivered only when that is remembered: until then it would be sent again.
            Ok(receipt) => {
                let remembered =
                    file.update(clock, |state| state.delivered(&channel.name, message, receipt.clone(), now));
                return remembered.err();
            }
            Err(error) => error,
        };
        if let Err(unwritten) = file.update(clock, |state| state.failed(&channel.name, message, &error, now))
        {
            return Some(format!("{error}; {unwritten}"));
        }
        if waited >= PATIENCE {
            return Some(error);
        }
        clock.sleep(wait);
        waited += wait;
        wait *= 2;
    }
}
