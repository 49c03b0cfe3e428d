//! An HTTP server (axum) whose routes are reloaded while it serves, and a load test of it on loopback.
//!
//! ```text
//! cd urcu/reload/examples/web
//! cargo run --release                # serves itself for some seconds, reloads meanwhile, prints figures
//! cargo run --release -- --serve     # serves web.toml on port 8080, until you stop it
//! ```

mod load;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use urcu_reload::{Error, Invalid, Watched};

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    generation: u64,
    route: Vec<Route>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    path: String,
    #[serde(default)]
    status: Option<u16>,
    body: String,
}

/// The routes as requests look them up.
struct Routes {
    generation: HeaderValue,
    answers: HashMap<String, (StatusCode, String)>,
}

fn convert(file: File) -> Result<Routes, Invalid> {
    let mut answers = HashMap::new();
    for (number, route) in file.route.into_iter().enumerate() {
        let refuse =
            |field, reason: &str| Invalid::new(reason).at_key(format!("route[{number}].{field}"));
        let status = StatusCode::from_u16(route.status.unwrap_or(200))
            .map_err(|_| refuse("status", "this is not an HTTP status"))?;
        if answers.insert(route.path, (status, route.body)).is_some() {
            return Err(refuse("path", "another route has this path"));
        }
    }
    Ok(Routes {
        generation: file.generation.into(),
        answers,
    })
}

fn watch(file: &Path) -> Result<Watched<Routes>, Error> {
    urcu_reload::watch::<Routes>(file).convert(convert).start()
}

/// Answers a request from the version that is in force when it looks.
async fn answer(State(routes): State<Watched<Routes>>, request: Request) -> Response {
    let routes = routes.read();
    let answer = routes.answers.get(request.uri().path());
    let (status, body) = answer.map_or(
        (StatusCode::NOT_FOUND, "no such route"),
        |(status, body)| (*status, body.as_str()),
    );
    let mut response = (status, body.to_owned()).into_response();
    response
        .headers_mut()
        .insert("x-generation", routes.generation.clone());
    response
}

async fn status(State(routes): State<Watched<Routes>>) -> String {
    format!("{}\n", routes.status())
}

fn server(routes: &Watched<Routes>) -> Router {
    Router::new()
        .route("/status", get(status))
        .fallback(answer)
        .with_state(routes.clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("web.toml");
    if env::args().any(|argument| argument == "--serve") {
        let routes = watch(&shipped)?;
        routes.on_change(|change| println!("routes, version {}", change.new.number()));
        let listener = TcpListener::bind("127.0.0.1:8080").await?;
        println!(
            "http://{}, routes of {}",
            listener.local_addr()?,
            shipped.display()
        );
        return Ok(axum::serve(listener, server(&routes)).await?);
    }

    let file = env::temp_dir().join(format!("web-{}.toml", std::process::id()));
    fs::copy(&shipped, &file)?;
    let routes = watch(&file)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, server(&routes)).into_future());

    println!("                 requests/s   median   99th percentile    reloads   stale answers");
    let writer = Arc::new(load::Writer::new(&file, &routes)?);
    for (name, interval) in [
        ("undisturbed", None),
        ("20 writes/s", Some(Duration::from_millis(50))),
    ] {
        let before = routes.status().counts.reloads;
        let run = load::run(address, &writer, interval, Duration::from_secs(3)).await?;
        println!(
            "{name:<14} {:>12.0} {:>6.0} µs {:>14.0} µs {:>10} {:>15}",
            run.per_second(),
            run.quantile(50),
            run.quantile(99),
            routes.status().counts.reloads - before,
            run.stale,
        );
        if run.stale != 0 {
            return Err("an answer came from a version that was no longer in force".into());
        }
    }
    println!("{}", routes.status());
    fs::remove_file(file)?;
    Ok(())
}
