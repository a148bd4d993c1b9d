//! The command line, and nothing else: each subcommand's body lives with the feature it belongs to.

#[path = "main/arguments.rs"]
mod arguments;
#[path = "main/keys.rs"]
mod keys;
#[path = "main/signals.rs"]
mod signals;
#[cfg(feature = "sandbox")]
#[path = "main/simulator.rs"]
mod simulator;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use arguments::{AdminAct, AuditAct, Cli, Command, GatewayQuestion, Places, Serving, StatementsAct};
use chrono::{DateTime, Utc};
use clap::Parser;
use dispense::app::App;
use dispense::audit;
use dispense::base::actor::Actor;
use dispense::base::clock::Clock;
use dispense::base::ids::VariantId;
use dispense::base::outcome::{Failure, Fault};
use dispense::base::secret::Secret;
use dispense::check;
use dispense::config::{self, Config, Faults, Sources, Stamp};
#[cfg(feature = "demo")]
use dispense::demo;
use dispense::graphql;
use dispense::http;
use dispense::infra::db::DatabasePlace;
use dispense::infra::{clock_difference, descriptors, logs, telemetry, wake};
use dispense::payments::accounts::reload::{self, Origin};
use dispense::payments::notices::vectors;
use dispense::payments::{self, statements};
use dispense::people;
#[cfg(feature = "sandbox")]
use dispense::sandbox;
use dispense::worker;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Why the program ends without success.
enum Ending {
    Faults(Faults),
    Fault(Fault),
    Refused(String),
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(format!("{} ({})", refusal.message, refusal.code)),
            Failure::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<Faults> for Ending {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

impl From<Fault> for Ending {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before anything can open a TLS connection; fails only when one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("dispense: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(ending) => {
            match ending {
                Ending::Faults(faults) => eprintln!("dispense: {faults}"),
                Ending::Fault(fault) => eprintln!("dispense: {fault}"),
                Ending::Refused(text) => eprintln!("dispense: {text}"),
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Ending> {
    let Places { config, data, listen } = cli.places;
    let sources = Sources::of_process(config, data, listen);
    match cli.command {
        Command::Serve(wanted) => serve(sources, wanted).await?,
        #[cfg(feature = "demo")]
        Command::Demo => demo::play().await?,
        Command::Work => work(sources).await?,
        #[cfg(feature = "sandbox")]
        Command::Sandbox { shop, sandbox_chaos } => {
            simulator::play(&sources, listen, shop, sandbox_chaos).await?;
        }
        Command::Gateway { question: GatewayQuestion::Test { file } } => return test_notices(&file),
        Command::Schema => print!("{}", graphql::sdl()),
        Command::Openapi => print!("{}", http::openapi().0),
        Command::Keys { act } => keys::run(load(&sources)?, act).await?,
        Command::Admin { act: AdminAct::Create { email, password_stdin } } => {
            create_admin(load(&sources)?, &email, password_stdin).await?;
        }
        Command::Statements { act } => statements(load(&sources)?, act).await?,
        Command::Restored { release: Some(variant), but_first, .. } => {
            release_stock(load(&sources)?, &variant, but_first).await?;
        }
        Command::Restored { since, open, release: None, .. } => {
            return restored(load(&sources)?, since, open).await;
        }
        Command::Audit { act: AuditAct::Verify { since } } => {
            return verify_audit(load(&sources)?, since).await;
        }
        Command::Config { default: true } => print!("{}", config::documented()),
        Command::Config { default: false } => print!("{}", config::effective(&sources)?),
        Command::Migrate => {
            let config = load(&sources)?;
            let place = DatabasePlace::open(&config, true).await?;
            let ran = place.migrate().await;
            place.close().await;
            println!("{} migrations ran", ran?);
        }
        Command::Check { ask, since } => {
            let mut config = load(&sources)?;
            if ask {
                remember(&mut config)?;
            }
            let place = DatabasePlace::open(&config, true).await?;
            let report = check::run_at(place.url(), &config, ask.then_some(since)).await;
            place.close().await;
            let report = report?;
            println!("{report}");
            if !report.is_clean() {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves until SIGTERM or SIGINT, then lets what runs end and stops the database when it is ours.
async fn serve(sources: Sources, wanted: Serving) -> Result<(), Ending> {
    let seen = Stamp::of(&sources);
    let mut config = load(&sources)?;
    telemetry::figures();
    descriptors::make_room(&mut config)?;
    #[cfg(feature = "demo")]
    if wanted.demo {
        config.server.graphiql = true;
        config.server.storefront = true;
    }
    let (listener, address) = bind(config.server.listen).await?;
    let admin = match config.server.admin_listen {
        Some(listen) => Some(bind(listen).await?),
        None => None,
    };
    if config.server.public_url.is_empty() {
        config.server.public_url = format!("http://{}", reachable(address));
    }
    let (stop, hangup) = (signals::stop()?, signals::hangup()?);
    let clock = Clock::default();
    #[cfg(feature = "sandbox")]
    let (simulator, simulated) = if wanted.sandbox {
        let shop = format!("http://{}", reachable(address));
        let beside = simulator::beside(&mut config, clock.clone(), &shop, wanted.sandbox_chaos).await?;
        (Some(beside.0), beside.1)
    } else {
        (None, Vec::new())
    };
    #[cfg(not(feature = "sandbox"))]
    let simulated = Vec::new();
    let origin = Origin { sources, simulated };
    let place = DatabasePlace::open(&config, false).await?;
    let served = async {
        place.make_ready().await?;
        let app = App::start(config, clock, place.url()).await?;
        #[cfg(feature = "demo")]
        if wanted.demo {
            demo::seed(&app).await?;
            #[cfg(feature = "sandbox")]
            if let Some(simulator) = &simulator {
                demo::seed_supplier(&app, simulator).await?;
            }
        }
        let ending = CancellationToken::new();
        let woken = tokio::spawn(wake::run(app.db.clone(), app.bell.clone(), ending.clone()));
        let clocks = tokio::spawn(clock_difference::run(app.kit.clone(), ending.clone()));
        let worker = (!wanted.no_worker).then(|| tokio::spawn(worker::run(app.worker(), ending.clone())));
        let watch = tokio::spawn(reload::watch(app.payments.clone(), origin, seen, hangup));
        let figures = admin.map(|at| figures(&app, "admin", at, &ending));
        println!("listening on http://{address}");
        let served = http::serve(app.http(), listener, stop).await;
        watch.abort();
        ending.cancel();
        if let Some(figures) = figures {
            let _ = figures.await;
        }
        if let Some(worker) = worker {
            let _ = worker.await;
        }
        let _ = tokio::join!(woken, clocks);
        served
    };
    let served: Result<(), Fault> = served.await;
    #[cfg(feature = "sandbox")]
    drop(simulator);
    place.close().await;
    Ok(served?)
}

/// A listener, and the address it has.
async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), Fault> {
    let no_port = |e: std::io::Error| Fault::setup(format!("cannot listen on {listen}: {e}"));
    let listener = TcpListener::bind(listen).await.map_err(no_port)?;
    let address = listener.local_addr().map_err(no_port)?;
    Ok((listener, address))
}

/// Serves figures and readiness for as long as the program works, and says where.
fn figures(
    app: &App,
    name: &'static str,
    (listener, address): (TcpListener, SocketAddr),
    ending: &CancellationToken,
) -> JoinHandle<()> {
    println!("figures on http://{address}");
    let ending = ending.clone();
    tokio::spawn(http::serve_figures(app.kit.clone(), name, listener, ending.cancelled_owned()))
}

/// Works until SIGTERM or SIGINT, then lets running jobs end.
async fn work(sources: Sources) -> Result<(), Ending> {
    let seen = Stamp::of(&sources);
    let mut config = load(&sources)?;
    telemetry::figures();
    descriptors::make_room(&mut config)?;
    let listener = match config.worker.listen {
        Some(listen) => Some(bind(listen).await?),
        None => None,
    };
    let (stop, hangup) = (signals::stop()?, signals::hangup()?);
    let place = DatabasePlace::open(&config, true).await?;
    let worked = async {
        place.make_ready().await?;
        let app = App::start(config, Clock::default(), place.url()).await?;
        let ending = CancellationToken::new();
        let woken = tokio::spawn(wake::run(app.db.clone(), app.bell.clone(), ending.clone()));
        let clocks = tokio::spawn(clock_difference::run(app.kit.clone(), ending.clone()));
        let worker = tokio::spawn(worker::run(app.worker(), ending.clone()));
        let origin = Origin { sources, simulated: Vec::new() };
        let watch = tokio::spawn(reload::watch(app.payments.clone(), origin, seen, hangup));
        let figures = listener.map(|at| figures(&app, "worker", at, &ending));
        println!("working");
        stop.await;
        watch.abort();
        ending.cancel();
        let _ = worker.await;
        if let Some(figures) = figures {
            let _ = figures.await;
        }
        let _ = tokio::join!(woken, clocks);
        Ok::<(), Fault>(())
    };
    let worked = worked.await;
    place.close().await;
    Ok(worked?)
}

/// The accounts that the simulator played before, where this build has one.
fn remember(config: &mut Config) -> Result<(), Ending> {
    #[cfg(feature = "sandbox")]
    sandbox::remember(config)?;
    #[cfg(not(feature = "sandbox"))]
    let _ = config;
    Ok(())
}

/// A line per case and a summary.
fn test_notices(file: &Path) -> Result<ExitCode, Ending> {
    let text = std::fs::read_to_string(file).map_err(|e| Fault::setup(format!("{}: {e}", file.display())))?;
    let report = vectors::run(&text).map_err(|e| Fault::setup(format!("{}: {e}", file.display())))?;
    println!("{report}");
    Ok(if report.differing() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints how many lines agree and what the others are.
async fn statements(mut config: Config, act: StatementsAct) -> Result<(), Ending> {
    let StatementsAct::Import { account, date, file } = act;
    remember(&mut config)?;
    beside(config, async |app| {
        let actor = Actor::system();
        let run = match file {
            Some(file) => {
                let unread = |e: std::io::Error| Fault::setup(format!("{}: {e}", file.display()));
                let bytes = tokio::fs::read(&file).await.map_err(unread)?;
                statements::import_file(&app.payments, &actor, &account, date, &bytes).await?
            }
            None => statements::import_fetched(&app.payments, &actor, &account, date).await?,
        };
        println!("{}", statements::summary(&app.payments, &run).await?);
        Ok(())
    })
    .await
}

/// Prints what the gateways said; fails while sales stay held.
async fn restored(config: Config, since: Option<DateTime<Utc>>, open: bool) -> Result<ExitCode, Ending> {
    let mut code = ExitCode::SUCCESS;
    beside(config, async |app| {
        let report = payments::restored::run(&app.payments, since, open).await?;
        println!("{report}");
        if !report.opened {
            code = ExitCode::FAILURE;
        }
        Ok(())
    })
    .await?;
    Ok(code)
}

/// Prints how many keys went back on sale.
async fn release_stock(config: Config, variant: &str, but_first: i64) -> Result<(), Ending> {
    let no_id = |_| Ending::Refused(format!("`{variant}` is not the id of a variant (var_…)"));
    let id = VariantId::parse(variant).map_err(no_id)?;
    beside(config, async |app| {
        let released = payments::restored::release(&app.payments, &Actor::system(), id, but_first).await?;
        println!("{id}: {released} keys are on sale again");
        Ok(())
    })
    .await
}

/// Prints the password when it was made here: the only time it can be read.
async fn create_admin(config: Config, email: &str, password_stdin: bool) -> Result<(), Ending> {
    let mut password = None;
    if password_stdin {
        let text = std::io::read_to_string(std::io::stdin()).map_err(|e| Fault::setup(e.to_string()))?;
        password = Some(Secret::new(text.trim_end_matches(['\r', '\n'])));
    }
    beside(config, async |app| {
        let (id, made) = people::create_admin(&app.people, email, password).await?;
        println!("{id}");
        if let Some(made) = made {
            println!("password: {}", made.expose());
        }
        Ok(())
    })
    .await
}

/// Prints where the chain ends, for comparing with a head recorded elsewhere, and what is wrong with it first.
async fn verify_audit(config: Config, since: Option<audit::Mark>) -> Result<ExitCode, Ending> {
    let mut code = ExitCode::SUCCESS;
    beside(config, async |app| {
        let verdict = audit::verify(app, since.as_ref()).await?;
        println!("{} seals checked; the last good one is {}", verdict.checked, verdict.mark);
        if let Some(broken) = &verdict.broken {
            println!("broken: {broken}");
            code = ExitCode::FAILURE;
        }
        Ok(())
    })
    .await?;
    Ok(code)
}

/// Does one thing over the database, beside a running shop or alone.
async fn beside(config: Config, act: impl AsyncFnOnce(&App) -> Result<(), Ending>) -> Result<(), Ending> {
    let place = DatabasePlace::open(&config, true).await?;
    let done = async {
        place.make_ready().await?;
        let app = App::start(config, Clock::default(), place.url()).await?;
        act(&app).await
    };
    let done = done.await;
    place.close().await;
    done
}

/// The address for links when it listens on all of the machine's.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

/// The configuration, and logging as it says.
fn load(sources: &Sources) -> Result<Config, Faults> {
    let config = Config::load(sources, dispense::app::faults)?;
    let format = if config.log.format == "json" { logs::Format::Json } else { logs::Format::Text };
    logs::start(format, &config.log.filter);
    Ok(config)
}
