//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use dispense::audit::Mark;

/// A headless shop that sells digital goods and delivers them the moment the payment is real.
#[derive(Parser)]
#[command(name = "dispense", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub places: Places,
    #[command(subcommand)]
    pub command: Command,
}

/// Where configuration and data are; each works with every subcommand that needs it.
#[derive(Args)]
pub struct Places {
    /// The configuration file [default: dispense.toml, when there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address and port to listen on; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
}

/// How the shop is served.
#[derive(Args)]
pub struct Serving {
    /// Leave the background work to `dispense work`
    #[arg(long)]
    pub no_worker: bool,
    #[cfg(feature = "sandbox")]
    /// With the simulator of gateways inside; refused beside accounts that take real money
    #[arg(long)]
    pub sandbox: bool,
    #[cfg(feature = "sandbox")]
    /// After each payment at the simulator, let this seed decide on refunds, disputes and shuffled notices
    #[arg(long, value_name = "SEED", requires = "sandbox")]
    pub sandbox_chaos: Option<u64>,
    #[cfg(feature = "demo")]
    /// As a demo shop: with its goods, the example storefront and the GraphiQL page
    #[arg(long)]
    pub demo: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Serve the shop: HTTP and background work
    Serve(Serving),
    #[cfg(feature = "demo")]
    /// Play one whole purchase against a private, temporary shop, and print it as a story
    Demo,
    /// Do the background work alone
    Work,
    #[cfg(feature = "sandbox")]
    /// Run the simulator of gateways alone, on loopback
    Sandbox {
        /// The shop's address: simulated Stripe and PayPal send their notices to its /webhooks/{account}
        #[arg(long, value_name = "URL")]
        shop: Option<String>,
        /// After each payment, let this seed decide on refunds, disputes and shuffled notices
        #[arg(long, value_name = "SEED")]
        sandbox_chaos: Option<u64>,
    },
    /// About gateways of payments
    Gateway {
        #[command(subcommand)]
        question: GatewayQuestion,
    },
    /// Bring the database's schema up to this program's version
    Migrate,
    /// Print the GraphQL schema
    Schema,
    /// Print the OpenAPI document of the REST routes
    Openapi,
    /// Import, generate or export keys, beside a running shop too
    Keys {
        #[command(subcommand)]
        act: KeysAct,
    },
    /// About the shop's administrators
    Admin {
        #[command(subcommand)]
        act: AdminAct,
    },
    /// About gateways' statements
    Statements {
        #[command(subcommand)]
        act: StatementsAct,
    },
    /// Prove on a live database what must always hold; exit code 1 when it does not
    Check {
        /// Ask the gateways too what they say of payments that are open or moved lately
        #[arg(long)]
        ask: bool,
        /// Since when a payment must have moved to be asked about: 36h, 7d, a day or an RFC 3339 time
        #[arg(long, value_name = "WHEN", default_value = "24h", requires = "ask")]
        since: dispense::check::Since,
    },
    /// To be run after a backup was restored: hold sales, ask the gateways what was paid since, list what nobody here
    /// knows, open again; exit code 1 while sales stay held
    Restored {
        /// When the backup was made [default: the time of the newest thing in the database]
        #[arg(long, value_name = "RFC 3339")]
        since: Option<chrono::DateTime<chrono::Utc>>,
        /// Open sales although a gateway does not answer
        #[arg(long)]
        open: bool,
        /// Instead put the keys of this variant (var_…) back on sale that a restore froze
        #[arg(long, value_name = "VARIANT", conflicts_with_all = ["since", "open"])]
        release: Option<String>,
        /// With --release: leave the first N frozen, in the order in which they would have been sold
        #[arg(long, value_name = "N", requires = "release", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        but_first: i64,
    },
    /// About the chain of events
    Audit {
        #[command(subcommand)]
        act: AuditAct,
    },
    /// Print the configuration in force, secrets masked
    Config {
        /// Print a documented file of every key instead
        #[arg(long)]
        default: bool,
    },
}

#[derive(Subcommand)]
pub enum KeysAct {
    /// Take keys in
    Import {
        /// The variant they are for (var_…)
        variant: String,
        /// The file; - reads standard input
        file: PathBuf,
        #[command(flatten)]
        laid_out: FileArguments,
        /// Go on with this batch (bat_…), which broke off: with the whole file, or as --offset says
        #[arg(long, value_name = "BATCH")]
        batch: Option<String>,
        /// The input is the rest of the file, and this many bytes came before it
        #[arg(long, value_name = "BYTES", requires = "batch", conflicts_with = "line",
            value_parser = clap::value_parser!(i64).range(0..))]
        offset: Option<i64>,
        /// The input is the rest of the file, and begins with this line, from 1
        #[arg(long, value_name = "LINE", requires = "batch", value_parser = clap::value_parser!(i64).range(1..))]
        line: Option<i64>,
    },
    /// Put the keys of an import on sale that was made with --preview
    Commit {
        /// The batch (bat_…)
        batch: String,
    },
    /// Give an import up that was made with --preview
    Cancel {
        /// The batch (bat_…)
        batch: String,
    },
    /// Write keys into a file, in clear, which import takes again
    Export {
        /// The variant whose keys they are (var_…)
        variant: String,
        /// The file, which must not exist; - writes to standard output
        file: PathBuf,
        /// csv or jsonl
        #[arg(long, default_value = "csv")]
        format: String,
        /// Keys in this state; may be said several times
        #[arg(long, default_values_t = ["available".to_owned()])]
        state: Vec<String>,
        /// Why the keys leave; it is kept
        #[arg(long)]
        reason: String,
    },
    /// Make unguessable keys
    Generate {
        /// The variant they are for (var_…)
        variant: String,
        /// How many, 1 to 1000000
        quantity: i64,
    },
}

/// How a file of keys is laid out, and whether its keys are looked at first.
#[derive(Args)]
pub struct FileArguments {
    /// text (a key a line), csv, jsonl, or blocks (keys of several lines)
    #[arg(long, default_value = "text", conflicts_with = "batch")]
    pub format: String,
    /// csv: the character between two fields [default: ,]; blocks: the line between two keys [default: ---]
    #[arg(long, conflicts_with = "batch")]
    pub separator: Option<String>,
    /// csv: the first row has no names
    #[arg(long, conflicts_with = "batch")]
    pub no_header: bool,
    /// csv, jsonl: the field with the key [default: key]
    #[arg(long, value_name = "NAME", conflicts_with = "batch")]
    pub key_column: Option<String>,
    /// csv, jsonl: the field with the key's date [default: expires_at, if there is one]
    #[arg(long, value_name = "NAME", conflicts_with = "batch")]
    pub expiry_column: Option<String>,
    /// Sell nothing before `keys commit`
    #[arg(long, conflicts_with = "batch")]
    pub preview: bool,
}

#[derive(Subcommand)]
pub enum StatementsAct {
    /// Compare a day's statement with the shop's books: fees are booked, differences become tasks
    Import {
        /// The account, as in the configuration
        #[arg(long, value_name = "ID")]
        account: String,
        /// The day of the gateway's own calendar
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: chrono::NaiveDate,
        /// The file as the gateway gives it; without one it is fetched
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum AuditAct {
    /// Walk the chain; exit 1 when an event or a seal was changed, taken out or put in
    Verify {
        /// The mark that a run printed: only what was sealed after it is walked, and the chain must go on from it
        #[arg(long, value_name = "NUMBER:HASH")]
        since: Option<Mark>,
    },
}

#[derive(Subcommand)]
pub enum AdminAct {
    /// Give a person every right, and make the person first when the address is new
    Create {
        email: String,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Subcommand)]
pub enum GatewayQuestion {
    /// Put a file of signed notifications through the production checks; exit code 1 when a verdict differs
    Test {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
