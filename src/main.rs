//! The command line, and nothing else: each subcommand's body lives with the feature it belongs to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use dispense::base::outcome::Fault;
use dispense::config::{self, Config, Faults, Sources};
use dispense::infra::db::Place;
use dispense::infra::logs;

/// A headless shop that sells digital goods and hands them over the moment the payment is real.
#[derive(Parser)]
#[command(name = "dispense", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Command,
}

/// Where configuration and data are; each works with every subcommand that needs it.
#[derive(Args)]
struct Places {
    /// The configuration file [default: dispense.toml, when there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port to listen on; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the database's schema up to this program's version
    Migrate,
    /// Print the configuration in force, secrets masked
    Config {
        /// Print a documented file of every key instead
        #[arg(long)]
        default: bool,
    },
}

/// Why the program ends without success.
enum Ending {
    Faults(Faults),
    Fault(Fault),
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
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Ending> {
    let Places { config, data, listen } = cli.places;
    let sources = Sources::of_process(config, data, listen);
    match cli.command {
        Command::Config { default: true } => print!("{}", config::documented()),
        Command::Config { default: false } => print!("{}", config::effective(&sources)?),
        Command::Migrate => {
            let config = load(&sources)?;
            let place = open(&config, true).await?;
            let ran = place.migrate().await;
            place.close().await;
            println!("{} migrations ran", ran?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration, and logging as it says.
fn load(sources: &Sources) -> Result<Config, Faults> {
    let config = Config::load(sources)?;
    let format = if config.log.format == "json" { logs::Format::Json } else { logs::Format::Text };
    logs::start(format, &config.log.filter);
    Ok(config)
}

/// The database that the configuration names. With `visit`, a cluster that a running shop owns is used too.
async fn open(config: &Config, visit: bool) -> Result<Place, Fault> {
    let database = &config.database;
    match &database.url {
        Some(url) => {
            let owner = database.owner_url.as_ref().map(|u| u.expose());
            Ok(Place::given(url.expose(), owner, &database.runtime_role))
        }
        None => Place::own(&config.data, database.programs.as_deref(), visit).await,
    }
}
