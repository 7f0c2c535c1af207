use super::*;
use crate::engine::Distribution;
use crate::world::network::PageCacheSpec;

const FILE: FileId = FileId(3);

fn disk() -> Disk {
    let spec = DiskSpec {
        fsync: Distribution::Constant(1_000_000),
        spread: 0,
        bandwidth: 1_000_000,
        capacity: 10_000,
        write_back_age: Span::from_secs(30),
        torn_tail: false,
        seek: Span::ZERO,
        cache: PageCacheSpec::UNLIMITED,
    };
    Disk::new(spec, 0, Span::ZERO, Stream::new(1, "disk n1"))
}

fn at(millis: u64) -> Time {
    Time::ZERO + Span::from_millis(millis)
}

#[test]
fn queued_fsyncs_transfer_each_byte_once_and_wait_for_each_other() {
    let mut disk = disk();
    disk.write(FILE, 2_000, at(0)).unwrap();
    let first = disk.fsync(FILE, at(0), at(0));
    disk.write(FILE, 1_000, at(1)).unwrap();
    let second = disk.fsync(FILE, at(1), at(1));
    assert_eq!((first.done, second.done), (at(3), at(5)));
    disk.complete(first);
    disk.lose_power(at(4));
    assert_eq!(disk.length(FILE), 2_000);
    // What was queued before the power was lost completes nothing after it.
    disk.write(FILE, 1_000, at(4)).unwrap();
    disk.complete(second);
    disk.lose_power(at(6));
    assert_eq!(disk.length(FILE), 2_000);
}

#[test]
fn an_fsync_covers_nothing_that_was_cut_off_and_written_anew() {
    let mut disk = disk();
    disk.write(FILE, 2_000, at(0)).unwrap();
    let sync = disk.fsync(FILE, at(0), at(0));
    disk.truncate(FILE, 500);
    disk.write(FILE, 1_500, at(1)).unwrap();
    disk.complete(sync);
    disk.lose_power(at(5));
    assert_eq!(disk.length(FILE), 500);
}

#[test]
fn space_is_counted_and_comes_back() {
    let mut disk = disk();
    disk.write(FILE, 9_000, at(0)).unwrap();
    assert_eq!(disk.write(FileId(0), 1_001, at(0)), Err(DiskError::Full));
    disk.truncate(FILE, 4_000);
    assert_eq!(disk.free(), 6_000);
    disk.fill(true);
    assert_eq!(disk.free(), 0);
    assert_eq!(disk.write(FILE, 0, at(0)), Err(DiskError::Full));
    disk.fill(false);
    disk.lose_power(at(1));
    assert_eq!((disk.free(), disk.length(FILE)), (10_000, 0));
}

#[test]
fn write_back_takes_the_time_of_the_disk_from_when_it_was_due() {
    let mut disk = disk();
    disk.write(FILE, 5_000, at(0)).unwrap();
    // Due at 30 s, 5 ms of transfer; an fsync at 30.002 s waits for it.
    let sync = disk.fsync(FILE, at(30_002), at(30_002));
    assert_eq!(sync.done, at(30_006));
}

/// 10 bytes were written each second from 0 to `until`, in ms.
fn trickled(until: u64) -> Disk {
    let mut disk = disk();
    for second in 0..=until / 1_000 {
        disk.write(FILE, 10, at(second * 1_000)).unwrap();
    }
    disk
}

/// What a loss of power at a time leaves of the file.
fn left(mut disk: Disk, millis: u64) -> u64 {
    disk.lose_power(at(millis));
    disk.length(FILE)
}

#[test]
fn write_back_is_a_saw_tooth_and_counts_with_the_next_commit() {
    // What is written in the very instant of a round waits for the next.
    let times = [29_000, 34_900, 35_000, 64_900, 65_000, 69_900];
    assert_eq!(times.map(|t| left(trickled(t), t)), [0, 0, 300, 300, 600, 600]);
}

#[test]
fn an_fsync_of_another_file_commits_what_was_written_back_and_nothing_else() {
    let fsynced = |millis: u64| {
        let mut disk = trickled(millis);
        let sync = disk.fsync(FileId(0), at(millis), at(millis));
        disk.complete(sync);
        disk
    };
    assert_eq!(left(fsynced(29_000), 29_500), 0);
    assert_eq!(left(fsynced(31_000), 31_100), 300);
}

#[test]
fn released_space_is_free_and_offsets_stay() {
    let mut disk = disk();
    disk.write(FILE, 9_000, at(0)).unwrap();
    disk.release(FILE, 4_000);
    assert_eq!((disk.free(), disk.length(FILE)), (5_000, 9_000));
    disk.truncate(FILE, 2_000);
    assert_eq!(disk.free(), 10_000);
    disk.truncate(FILE, 0);
    assert_eq!((disk.free(), disk.length(FILE)), (10_000, 0));
}

#[test]
fn a_torn_tail_is_a_part_of_what_was_not_durable() {
    let mut kept = Vec::new();
    for seed in 0..20 {
        let spec = DiskSpec { torn_tail: true, ..disk().spec };
        let mut disk = Disk::new(spec, 0, Span::ZERO, Stream::new(seed, "disk n1"));
        disk.write(FILE, 1_000, at(0)).unwrap();
        let sync = disk.fsync(FILE, at(0), at(0));
        disk.complete(sync);
        disk.write(FILE, 1_000, at(5)).unwrap();
        disk.lose_power(at(6));
        kept.push(disk.length(FILE));
    }
    assert!(kept.iter().all(|length| (1_000..=2_000).contains(length)));
    assert!(kept.iter().any(|length| length % 100 != 0));
}

/// A disk of 1 MB/s whose host may have 150 kB dirty before writers wait, and 200 kB at most.
fn small() -> Disk {
    let cache = PageCacheSpec { bytes: 1_000_000, background: 10, limit: 20 };
    let spec = DiskSpec { cache, capacity: 1 << 40, seek: Span::from_millis(10), ..disk().spec };
    Disk::new(spec, 0, Span::ZERO, Stream::new(1, "disk n1"))
}

#[test]
fn writers_wait_when_more_is_dirty_than_half_way_between_the_limits() {
    let mut disk = small();
    assert_eq!(disk.write(FILE, 100_000, at(0)), Ok(None));
    assert_eq!(disk.free_at, at(0), "nothing is written back yet");
    assert_eq!(disk.write(FILE, 50_000, at(0)), Ok(None));
    assert_eq!(disk.free_at, at(160), "write-back has begun: a seek and 150 kB");
    let target = disk.write(FILE, 100_000, at(0)).unwrap().unwrap();
    // 100 kB too much: 10 ms of seek, and 100 ms.
    assert_eq!(disk.cleaned_at(target), Some(at(110)));
    disk.advance(at(160));
    assert_eq!((disk.dirty, disk.cleaned), (100_000, 150_000));
}

#[test]
fn an_fsync_waits_for_the_write_back_before_it_and_a_read_does_not() {
    let mut disk = small();
    disk.write(FILE, 150_000, at(0)).unwrap();
    disk.write(FileId(0), 1_000, at(0)).unwrap();
    let sync = disk.fsync(FileId(0), at(0), at(0));
    assert_eq!(sync.done, at(162));
    assert_eq!(disk.read(5_000, at(0)).done, at(5));
    // It has put off what comes later.
    assert_eq!(disk.fsync(FileId(0), at(0), at(0)).done, at(168));
}

#[test]
fn what_is_written_of_many_files_costs_a_seek_each() {
    let written = |files: u32| {
        let mut disk = small();
        for file in 0..files {
            disk.write(FileId(file), 1_000_000 / u64::from(files), at(0)).unwrap();
        }
        disk.free_at.as_millis()
    };
    // Of a hundred files ten may stay dirty.
    assert_eq!((written(1), written(100)), (1_010, 90 * 20));
}

#[test]
fn half_of_what_is_under_way_is_not_durable() {
    let mut disk = small();
    disk.write(FILE, 150_000, at(0)).unwrap();
    disk.advance(at(100));
    disk.lose_power(at(100));
    assert_eq!((disk.length(FILE), disk.dirty, disk.waiting), (0, 0, 0));
    disk.write(FILE, 150_000, at(200)).unwrap();
    disk.lose_power(at(5_200));
    assert_eq!(disk.length(FILE), 150_000);
}

#[test]
fn what_was_written_last_is_in_memory_and_what_was_read_lately() {
    let mut disk = small();
    disk.write(FILE, 900_000, at(0)).unwrap();
    assert!(disk.load(FILE, 0, 900_000, at(0)).is_none());
    disk.write(FileId(0), 500_000, at(0)).unwrap();
    assert!(disk.load(FILE, 500_000, 900_000, at(5_000)).is_none());
    // 400 kB of it had to go, in runs of 4 kB and more.
    let read = disk.load(FILE, 350_000, 450_000, at(5_000)).unwrap();
    assert_eq!(read.done, at(5_060), "a seek and 50 kB");
    assert!(disk.load(FILE, 350_000, 450_000, at(6_000)).is_none(), "it is there now");
    disk.lose_power(at(20_000));
    assert!(disk.load(FILE, 899_000, 900_000, at(20_000)).is_some());
}
