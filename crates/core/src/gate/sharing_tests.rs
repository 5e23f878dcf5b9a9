//! The gate beside another caller, who is seen only by what the provider refuses.
//!
//! The provider is simulated, its network too, and the clock is tokio's paused one: every number here is exact.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;

/// What a provider counts.
#[derive(Debug)]
enum Allowance {
    /// It fills by and by, as EC2's: size, tokens a second, level, and when that was so.
    Drops(f64, f64, f64, Instant),
    /// All of it is back when a minute begins, as Compute Engine's: size, taken, and in which minute that was.
    Minutes(u32, u32, u64),
}

impl Allowance {
    fn take(&mut self, start: Instant) -> bool {
        let now = Instant::now();
        match self {
            Self::Drops(size, refill, level, at) => {
                *level = (*level + now.duration_since(*at).as_secs_f64() * *refill).min(*size);
                *at = now;
                let there = *level >= 1.0;
                *level -= f64::from(u8::from(there));
                there
            }
            Self::Minutes(size, taken, minute) => {
                let present = now.duration_since(start).as_secs() / 60;
                if *minute != present {
                    (*minute, *taken) = (present, 0);
                }
                *taken += 1;
                taken <= size
            }
        }
    }
}

/// A provider with one allowance.
#[derive(Debug)]
struct Provider {
    allowance: Mutex<Allowance>,
    start: Instant,
    asked: AtomicU32,
    refused: AtomicU32,
    /// How many seconds are left until the allowance is back, said with every refusal.
    tells: bool,
    /// How long a call and its answer are on their way.
    way: Duration,
}

impl Provider {
    fn new(allowance: Allowance) -> Arc<Self> {
        let tells = matches!(allowance, Allowance::Minutes(..));
        let (asked, refused) = (AtomicU32::new(0), AtomicU32::new(0));
        let (allowance, way) = (Mutex::new(allowance), Duration::from_millis(150));
        Arc::new(Self { allowance, start: Instant::now(), asked, refused, tells, way })
    }

    /// EC2's bucket for a mutating action, with so much in it.
    fn ec2(level: f64) -> Arc<Self> {
        Self::new(Allowance::Drops(50.0, 5.0, level, Instant::now()))
    }

    /// Compute Engine's allowance for a group of methods.
    fn compute() -> Arc<Self> {
        Self::new(Allowance::Minutes(1500, 0, 0))
    }

    fn take(&self) -> bool {
        lock(&self.allowance).take(self.start)
    }

    /// A call of ours, with the way there and back.
    async fn call(&self) -> Result<()> {
        sleep(self.way / 2).await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        let taken = self.take();
        self.refused.fetch_add(u32::from(!taken), Ordering::Relaxed);
        let left = 60 - self.start.elapsed().as_secs() % 60;
        sleep(self.way / 2).await;
        if taken {
            return Ok(());
        }
        let error = Error::new(ErrorKind::RateLimited, "slow down");
        Err(if self.tells { error.with_retry_after(Duration::from_secs(left + 1)) } else { error })
    }

    /// Somebody who makes so many calls at once, this often, until he is told to stop.
    fn shared_with(self: &Arc<Self>, calls: u32, every: Duration) -> Other {
        let (provider, stop) = (Arc::clone(self), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                for _ in 0..calls {
                    provider.take();
                }
                sleep(every).await;
            }
        });
        Other { stop, _task: task }
    }
}

struct Other {
    stop: Arc<AtomicBool>,
    _task: JoinHandle<()>,
}

impl Other {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn gate(capacity: u32, refill_per_second: f64) -> Arc<Gate> {
    let bucket = Bucket { capacity, refill_per_second };
    Arc::new(Gate::new(GateSettings { buckets: vec![(vec!["Act"], bucket)], ..GateSettings::default() }))
}

/// As providers/aws has it: one less than EC2 publishes.
fn gate_of_ec2() -> Arc<Gate> {
    gate(49, 5.0)
}

/// As providers/gcp has it.
fn gate_of_compute() -> Arc<Gate> {
    gate(499, 1000.0 / 60.0)
}

/// So many calls, 64 at a time as a reconciler makes them; how long they took, in seconds.
async fn run(gate: &Arc<Gate>, provider: &Arc<Provider>, calls: u32) -> f64 {
    let (start, side_by_side) = (Instant::now(), Arc::new(Semaphore::new(64)));
    let mut tasks = Vec::new();
    for _ in 0..calls {
        let place = Arc::clone(&side_by_side).acquire_owned().await.expect("open");
        let (gate, provider) = (Arc::clone(gate), Arc::clone(provider));
        tasks.push(tokio::spawn(async move {
            let answer = gate.call("Act", Repeat::Always, |_| provider.call()).await;
            drop(place);
            answer
        }));
    }
    for task in tasks {
        task.await.expect("join").expect("every call gets through in the end");
    }
    start.elapsed().as_secs_f64()
}

/// Refused calls, which must be less than two in a hundred.
#[track_caller]
fn few_refused(provider: &Provider, told: &str) -> u32 {
    let (refused, asked) = (provider.refused.load(Ordering::Relaxed), provider.asked.load(Ordering::Relaxed));
    assert!(refused * 50 < asked, "{refused} of {asked} refused; {told}");
    refused
}

#[tokio::test(start_paused = true)]
async fn alone_no_call_is_refused_and_the_published_floor_is_kept_however_slow_the_answers_are() {
    for way in [1, 150, 2000, 10_000] {
        let mut provider = Provider::ec2(50.0);
        Arc::get_mut(&mut provider).expect("ours alone").way = Duration::from_millis(way);
        let took = run(&gate_of_ec2(), &provider, 500).await;
        let last = Duration::from_millis(way).as_secs_f64();
        assert!(few_refused(&provider, "alone") == 0, "{way} ms");
        // What was saved up is sent in waves, and with slow answers some of it is still there at the end.
        let floor = if way < 1000 { 450.0 / 5.0 } else { 500.0 / 5.0 };
        assert!(took - last < floor * 1.05, "{way} ms: {took}");
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_calls_beside_somebody_who_takes_half_meet_few_refusals_and_lose_little_time() {
    for level in [50.0, 40.0, 25.0, 10.0, 0.0] {
        for (calls, every) in [(1, 400), (5, 2000), (25, 10_000)] {
            let provider = Provider::ec2(level);
            let other = provider.shared_with(calls, Duration::from_millis(every));
            let took = run(&gate_of_ec2(), &provider, 500).await;
            other.stop();
            let told = format!("{calls} every {every} ms, {level} at first");
            let refused = few_refused(&provider, &told);
            assert!(refused > 0, "{told}: this must be a tight bucket");
            let floor = (500.0 - level) / 2.5;
            assert!(took < floor * 1.15, "{told}: {took} s where {floor} s were to be had");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_who_empties_the_bucket_again_and_again_is_borne() {
    for level in [50.0, 25.0, 0.0] {
        for (calls, every) in [(50, 20), (75, 30), (150, 60)] {
            let provider = Provider::ec2(level);
            let other = provider.shared_with(calls, Duration::from_secs(every));
            let took = run(&gate_of_ec2(), &provider, 500).await;
            other.stop();
            few_refused(&provider, &format!("{calls} every {every} s, {level} at first"));
            assert!(took < 400.0, "{calls} every {every} s, {level} at first: {took}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_other_caller_has_gone_the_full_rate_comes_back() {
    let (provider, gate) = (Provider::ec2(50.0), gate_of_ec2());
    let other = provider.shared_with(1, Duration::from_millis(400));
    run(&gate, &provider, 300).await;
    let before = few_refused(&provider, "beside another");
    other.stop();
    let hundreds =
        [run(&gate, &provider, 100).await, run(&gate, &provider, 100).await, run(&gate, &provider, 100).await];
    assert!(hundreds[0] > 20.5, "it had slowed down: {hundreds:?}");
    assert!((20.0..20.5).contains(&hundreds[2]), "a hundred at five a second: {hundreds:?}");
    assert_eq!(few_refused(&provider, "at the end"), before, "alone nothing is refused any more");
}

/// Compute Engine's allowance comes back when a minute begins, and its refusals say when that is.
#[tokio::test(start_paused = true)]
async fn an_allowance_by_the_minute_of_which_half_is_gone_is_waited_for() {
    for (calls, others, every) in [(500, 1, 80), (1000, 1, 80), (2000, 1, 80), (500, 750, 60_000), (2000, 750, 60_000)]
    {
        for into_the_minute in [0, 20, 50] {
            let provider = Provider::compute();
            let other = provider.shared_with(others, Duration::from_millis(every));
            sleep(Duration::from_secs(into_the_minute)).await;
            let took = run(&gate_of_compute(), &provider, calls).await;
            other.stop();
            let told = format!("{calls} calls beside {others} every {every} ms, {into_the_minute} s into the minute");
            few_refused(&provider, &told);
            // 750 are left for us in each minute, and the last one need not be a whole one.
            let minutes = f64::from(calls.div_ceil(750));
            assert!(took <= minutes * 60.0, "{told}: {took} s");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_call_is_told_to_wait_the_whole_bucket_waits() {
    let gate = gate_of_ec2();
    let start = Instant::now();
    let first = gate.call("Act", Repeat::OnlyIfUntouched, |number| async move {
        if number > 1 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::RateLimited, "slow down").with_retry_after(Duration::from_secs(30)))
    });
    let second = async {
        sleep(Duration::from_secs(1)).await;
        gate.call("Act", Repeat::Always, |_| async { Ok(()) }).await
    };
    let (first, second) = tokio::join!(first, second);
    first.and(second).expect("both in the end");
    assert!(start.elapsed() >= Duration::from_secs(30));
    assert_eq!(gate.counts()["Act"], 3);
}
