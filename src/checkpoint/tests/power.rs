//! Everything that happens to files, many times over: each time the store opens to what was really committed, or is refused in words
//! that name a way out. A plain `cargo test` tries some of it; where SLUICEGATE_BARS names a folder, as in `tests/run`, all of it.

mod crash;
mod damage;
mod failing;
mod growth;
mod image;
mod making;
mod strangers;
mod table;

use table::{Size, Table};

/// Those that a run for the bars has to draw up.
const CRASH_IMAGES_MIN: usize = 20_000;

#[test]
fn under_every_attack_the_file_holds_what_was_committed_or_is_refused_with_a_way_out() {
    let size = Size::asked();
    let mut table = Table::default();
    table.fill("power lost, at each operation", |tally| {
        crash::at_each_operation(size, tally);
    });
    table.fill("power lost again, in the recovery", |tally| {
        crash::in_the_recovery(size, tally);
    });
    table.fill("power lost while the file grows", |tally| {
        growth::while_it_grows(size, tally);
    });
    table.fill("power lost in an import", |tally| {
        making::in_an_import(size, tally);
    });
    table.fill("disk full or broken, writing", |tally| {
        failing::at_work(size, tally);
    });
    table.fill("disk broken, at the start", |tally| {
        failing::at_the_start(size, tally);
    });
    table.fill("one bit flipped", |tally| damage::one_bit(size, tally));
    table.fill("several bits flipped", |tally| {
        damage::several_bits(size, tally);
    });
    table.fill("bits flipped after a crash", |tally| {
        damage::after_a_crash(size, tally);
    });
    table.fill("pages zeroed, swapped, stale", |tally| {
        damage::pages(size, tally);
    });
    table.fill("cut off, or longer", |tally| damage::ends(size, tally));
    table.fill("no store, or a newer one", strangers::in_its_place);
    table.fill("a second process", strangers::at_the_same_time);
    report!("{table}");
    table.leave();
    let crash_images = table.crash_images();
    let least = size.of(700, CRASH_IMAGES_MIN);
    assert!(crash_images >= least, "{crash_images} of {least}");
}
