//! W1: ten sequential durable no-op effects per case. Each effect is persisted, delivered, its outcome persisted and the
//! next decided before the one behind it. The clock starts with the first invoice that is handed in and stops when the
//! last case is over: receiving, booking and opening are part of it.

use crate::world;
use recobro_engine::Settings;
use recobro_engine::clock::Stopwatch;
use tokio::sync::watch;

/// Ten neutral requests, one behind the other, each answered before the next.
const PLAYBOOK: &str = "
playbook: load
version: 1
title: Ten durable steps
owner: credit-control
currency: any
calendar: house
policy: [house]
applies_to: {priority: 1}
contact: {locales: [en], hours: 09:00-18:00}
stages:
  - stage: only
    steps:
      - {request: card.retry, id: s1}
      - {request: card.retry, id: s2}
      - {request: card.retry, id: s3}
      - {request: card.retry, id: s4}
      - {request: card.retry, id: s5}
      - {request: card.retry, id: s6}
      - {request: card.retry, id: s7}
      - {request: card.retry, id: s8}
      - {request: card.retry, id: s9}
      - {request: card.retry, id: s10}
      - {finish: uncollected}
whenever:
  - event: invoice.paid
    then: {finish: paid}
";

/// Durable steps of one case.
const STEPS: usize = 10;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Database: `sqlite://FILE` or `postgres://...`
    #[arg(long)]
    db: String,
    /// Cases
    #[arg(long, default_value_t = 1_000)]
    cases: usize,
    /// Invoices of one customer
    #[arg(long, default_value_t = 5)]
    per_customer: usize,
    /// Cases of one batch
    #[arg(long, default_value_t = Settings::default().batch)]
    batch: usize,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let library = world::library(PLAYBOOK)?;
    let settings = Settings { batch: args.batch, ..Settings::default() };
    let engine = world::engine(&args.db, &library, settings).await?;
    let (_keep, stop) = watch::channel(false);
    let customers = args.cases.div_ceil(args.per_customer.max(1));
    engine.receive("load", &mut (0..customers).map(world::customer)).await?;
    engine.run_due(&stop, &mut |_| ()).await?;

    let today = engine.clock().now().date_in(chrono_tz::Tz::UTC);
    println!("@begin");
    let begun = Stopwatch::start();
    let per_customer = args.per_customer.max(1);
    let mut invoices = (0..args.cases).map(|n| world::invoice(n, n / per_customer, (today, today)));
    engine.receive("load", &mut invoices).await?;
    let done = engine.run_due(&stop, &mut |_| ()).await?;
    let secs = begun.seconds();
    anyhow::ensure!(
        done.finished == args.cases as u64,
        "{} of {} cases ended after {} turns",
        done.finished,
        args.cases,
        done.turns
    );
    println!("@end {}", serde_json::json!({"n": args.cases, "steps": args.cases * STEPS, "secs": secs}));
    engine.store().clone().close().await;
    Ok(())
}
