//! The whole-system benchmarks: `make bench`. Ratios come from one run, the two sides in turn;
//! absolute figures are of the machine at hand.

mod channel;
mod handshakes;
mod measure;

fn main() {
    let mut report = measure::Report::default();
    handshakes::run(&mut report);
    channel::run(&mut report);
    report.finish();
}
