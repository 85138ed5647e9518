//! What sqlx can do on this disk, for comparison: a step inserts a row of 200 bytes and updates another, in batches.
//!
//! `limit sqlite FILE SECONDS`, `limit postgres URL SECONDS`; prints `@end {"steps":..,"secs":..}`.

use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor};
use std::time::{Duration, Instant};

const ROWS: i64 = 10_000;
const BATCH: i64 = 200;
const CONNECTIONS: u32 = 2;

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let [_, database, place, seconds] = &words[..] else {
        eprintln!("limit sqlite FILE SECONDS, or limit postgres URL SECONDS");
        std::process::exit(2);
    };
    let lasts = Duration::from_secs(seconds.parse().unwrap_or(3));
    println!("@begin");
    let begun = Instant::now();
    let steps = match database.as_str() {
        "sqlite" => sqlite(place, lasts).await?,
        _ => postgres(place, lasts).await?,
    };
    println!("@end {}", serde_json::json!({"steps": steps, "secs": begun.elapsed().as_secs_f64()}));
    Ok(())
}

fn payload() -> String {
    "x".repeat(200)
}

async fn sqlite(file: &str, lasts: Duration) -> sqlx::Result<i64> {
    let connect = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let connect = connect.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut conn = connect.connect().await?;
    conn.execute(
        "CREATE TABLE inst (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, state TEXT NOT NULL);
         CREATE TABLE hist (inst INTEGER, seq INTEGER, payload TEXT NOT NULL, UNIQUE (inst, seq))",
    )
    .await?;
    let text = payload();
    let fill = "INSERT INTO inst WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $1 - 1)
                SELECT i, 0, $2 FROM n";
    sqlx::query(fill).bind(ROWS).bind(&text).execute(&mut conn).await?;
    let (begun, mut steps) = (Instant::now(), 0);
    while begun.elapsed() < lasts {
        let rows: Vec<(i64, i64, &str)> = (steps..steps + BATCH).map(|n| (n % ROWS, n / ROWS, text.as_str())).collect();
        let rows = serde_json::to_string(&rows).expect("plain values");
        let mut tx = conn.begin().await?;
        let append = "INSERT INTO hist SELECT value->>0, value->>1, value->>2 FROM json_each($1)";
        sqlx::query(append).bind(&rows).execute(&mut *tx).await?;
        let update = "UPDATE inst SET step = b.s, state = b.p
                      FROM (SELECT value->>0 i, value->>1 s, value->>2 p FROM json_each($1)) b WHERE id = b.i";
        sqlx::query(update).bind(&rows).execute(&mut *tx).await?;
        tx.commit().await?;
        steps += BATCH;
    }
    Ok(steps)
}

async fn postgres(url: &str, lasts: Duration) -> sqlx::Result<i64> {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
    pool.execute("CREATE TABLE inst (id BIGINT PRIMARY KEY, step BIGINT NOT NULL, state TEXT NOT NULL)").await?;
    pool.execute("CREATE TABLE hist (inst BIGINT, seq BIGINT, payload TEXT NOT NULL, PRIMARY KEY (inst, seq))").await?;
    let fill = "INSERT INTO inst SELECT g, 0, $1 FROM generate_series(0, $2 - 1) g";
    sqlx::query(fill).bind(payload()).bind(ROWS).execute(&pool).await?;
    let slice = ROWS / i64::from(CONNECTIONS);
    let mut hands = tokio::task::JoinSet::new();
    for hand in 0..i64::from(CONNECTIONS) {
        hands.spawn(one_hand(pool.clone(), hand * slice, slice, lasts));
    }
    let mut steps = 0;
    while let Some(done) = hands.join_next().await {
        steps += done.expect("a hand does not panic")?;
    }
    Ok(steps)
}

/// Each connection has rows of its own, so that no two ever lock the same one.
async fn one_hand(pool: sqlx::PgPool, first: i64, slice: i64, lasts: Duration) -> sqlx::Result<i64> {
    let text = "WITH b AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS b(i, s, p)),
                     h AS (INSERT INTO hist SELECT i, s, p FROM b)
                UPDATE inst SET step = b.s, state = b.p FROM b WHERE id = b.i";
    let mut conn = pool.acquire().await?;
    let (begun, mut steps) = (Instant::now(), 0);
    while begun.elapsed() < lasts {
        let ids: Vec<i64> = (steps..steps + BATCH).map(|n| first + n % slice).collect();
        let seqs: Vec<i64> = (steps..steps + BATCH).map(|n| n / slice).collect();
        let texts: Vec<String> = ids.iter().map(|_| payload()).collect();
        sqlx::query(text).bind(&ids).bind(&seqs).bind(&texts).execute(&mut *conn).await?;
        steps += BATCH;
    }
    Ok(steps)
}
