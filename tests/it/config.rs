//! The configuration: where it comes from, and that everything wrong with it is reported at once.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dispense::app;
use dispense::config::{self, Config, Faults, Sources};

/// 32 bytes that look random, as hex, different by `n`.
fn key(n: u8) -> String {
    hex::encode(
        (0..32_u8).map(|i| i.wrapping_mul(73).wrapping_add(n.wrapping_mul(29)) ^ 0x5a).collect::<Vec<_>>(),
    )
}

fn secrets() -> String {
    let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(key);
    format!(
        "[secrets]\nvault=[\"{a}\"]\nfingerprint=\"{b}\"\nlinks=[\"{c}\"]\ntokens=[\"new:{d}\"]\naccess=\"{e}\"\n"
    )
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn sources(&self, toml: &str, environment: &[(&str, &str)]) -> Sources {
        let file = self.0.path().join("dispense.toml");
        std::fs::write(&file, toml).unwrap();
        Sources {
            file: Some(file),
            dotenv: Some(self.0.path().join(".env")),
            environment: environment.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
            data: Some(self.data()),
            listen: None,
        }
    }

    fn data(&self) -> std::path::PathBuf {
        self.0.path().join("data")
    }

    fn load(&self, toml: &str, environment: &[(&str, &str)]) -> Result<Config, Faults> {
        Config::load(&self.sources(toml, environment), app::faults)
    }
}

fn keys(faults: &Faults) -> Vec<&str> {
    faults.iter().map(|(key, _)| key).collect()
}

/// Rows: C12.
#[test]
fn environment_wins_over_dotenv_and_dotenv_over_the_file() {
    let place = Place::new();
    let toml = "[shop]\nname = \"file\"\norder_prefix = \"F\"\nmax_lines_per_order = 7\n[server]\nlisten = \"127.0.0.1:1\"";
    std::fs::write(
        place.0.path().join(".env"),
        "DISPENSE_SHOP__NAME=dotenv\nDISPENSE_SHOP__ORDER_PREFIX=E\n",
    )
    .unwrap();
    let environment = [
        ("DISPENSE_SHOP__NAME", "environment"),
        ("DISPENSE_SHOP__CURRENCIES", "CNY, JPY"),
        ("DISPENSE_SERVER__GRAPHIQL", "true"),
        ("DISPENSE_WORKER__MESSAGE_GAPS", "1,2,3"),
        ("DISPENSE_TEST_SOCKET", "is not configuration"),
        ("PATH", "neither"),
    ];
    let config = place.load(toml, &environment).unwrap();
    assert_eq!(config.shop.name, "environment");
    assert_eq!(config.shop.order_prefix, "E");
    assert_eq!(config.shop.max_lines_per_order, 7);
    assert_eq!(config.shop.currencies, ["CNY", "JPY"]);
    assert!(config.server.graphiql);
    assert_eq!(config.worker.message_gaps, [1, 2, 3]);
    let listen = Some("127.0.0.1:9".parse().unwrap());
    let config = Config::load(&Sources { listen, ..place.sources(toml, &environment) }, app::faults).unwrap();
    assert_eq!(config.server.listen.port(), 9, "the command line has the last word");
}

/// Rows: C12.
#[test]
fn a_country_is_read_from_proxies_alone() {
    let load =
        |more: &str| Place::new().load(&format!("[server]\ncountry_header = \"CF-IPCountry\"\n{more}"), &[]);
    let alone = load("").unwrap_err();
    assert!(keys(&alone).contains(&"server.country_header"), "{alone:?}");
    let behind = load("trusted_proxies = [\"10.0.0.0/8\"]");
    assert!(behind.is_ok_and(|config| config.server.country_header == "CF-IPCountry"));
}

/// Rows: C12.
#[test]
fn all_faults_are_told_at_once_with_their_keys() {
    let toml = r#"
        datta = "x"
        [server]
        listen = "nowhere"
        public_url = "shop.example/"
        allowed_origins = ["https://shop.example", "https://shop.example/path", "myapp://"]
        trusted_proxies = ["10.0.0.0/8", "10.0.0.0/99"]
        country_header = "X Country"
        graphql = true
        admin_listen = "8080"
        [connections]
        most = 100
        room = 100
        per_address = 0
        head_seconds = "soon"
        [worker]
        hook_concurrency = 8
        hook_concurrency_per_endpoint = 5
        listen = "localhost"
        [database]
        connections = 0
        url = "mysql://x"
        ca = "no-such-file.pem"
        [mail]
        url = ""
        from = "nobody"
        dkim_selector = "a_b"
        dkim_key = "-----BEGIN PRIVATE KEY-----"
        event_secrets = ["whsec_c2hvcnQ="]
        [shop]
        colour = "red"
        logo_url = "http://shop.example/logo.png"
        currencies = ["USD", "usd", "XYZ", "USD"]
        default_locale = "de"
        order_prefix = "too-long"
        guest_checkout = "perhaps"
        nmae = "x"
        [log]
        format = "xml"
        [secrets]
        vault = ["0000000000000000000000000000000000000000000000000000000000000000"]
        fingerprint = "short"
        [[accounts]]
        id = "main"
        gateway = "stripe"
        currencies = ["EUR"]
        secrets = ["whsec_short"]
        signs_with = 2
        [[accounts]]
        id = "main"
        gateway = "barter"
        currencies = []
        secrets = ["", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
        colour = "red"
        [[accounts]]
        id = "Sign Me"
        gateway = "generic"
        currencies = ["EUR"]
        [[accounts]]
        id = "free"
        gateway = "generic"
        currencies = ["EUR"]
    "#;
    let environment =
        [("DISPENSE_LIMITS__REQUEST_SECONDS", "soon"), ("DISPENSE_ACCOUNTS__OTHER__API_KEY", "x")];
    let faults = Place::new().load(toml, &environment).unwrap_err();
    let reported = keys(&faults);
    for key in [
        "datta",
        "server.listen",
        "server.public_url",
        "server.allowed_origins",
        "server.trusted_proxies",
        "server.country_header",
        "server.graphql",
        "server.admin_listen",
        "connections.room",
        "connections.per_address",
        "connections.head_seconds",
        "worker.listen",
        "worker.hook_concurrency_per_endpoint",
        "database.connections",
        "database.url",
        "database.ca",
        "mail.url",
        "mail.from",
        "mail.dkim_domain",
        "mail.dkim_selector",
        "mail.event_secrets",
        "shop.colour",
        "shop.logo_url",
        "shop.currencies",
        "shop.default_locale",
        "shop.order_prefix",
        "shop.guest_checkout",
        "shop.nmae",
        "log.format",
        "limits.request_seconds",
        "secrets.vault",
        "secrets.fingerprint",
        "secrets.links",
        "secrets.tokens",
        "secrets.access",
        "accounts[main].secrets",
        "accounts[main].api_key",
        "accounts[main].signs_with",
        "accounts[main].id",
        "accounts[main].gateway",
        "accounts[main].currencies",
        "accounts[main].colour",
        "accounts[Sign Me].secrets",
        "accounts[free].id",
        "DISPENSE_ACCOUNTS__OTHER__API_KEY",
    ] {
        assert!(reported.contains(&key), "{key} is not reported:\n{faults}");
    }
    let signed =
        "[mail]\ndkim_domain=\"a.example\"\ndkim_selector=\"s\"\ndkim_key=\"-----BEGIN PRIVATE KEY-----\"";
    let broken = Place::new().load(&format!("{signed}\n{}", secrets()), &[]).unwrap_err();
    assert_eq!(keys(&broken), ["mail.dkim_key"], "{broken}");
    let text = faults.to_string();
    assert!(text.contains("shop.nmae: unknown key; did you mean `shop.name`?"), "{text}");
    assert!(text.contains("`XYZ` is no currency") && text.contains("`usd` is no currency"), "{text}");
    assert!(!text.contains("whsec_short") && !text.contains("0000000000"), "no secret is repeated: {text}");
}

/// Rows: C12, X3.
#[test]
fn a_captcha_that_would_never_be_called_is_told_at_the_start() {
    let load = |url: &str, outbound: &str| {
        let captcha =
            format!("[captcha]\nsite_key = \"k\"\nsecret = \"0123456789abcdef\"\nverify_url = \"{url}\"\n");
        let toml = format!("{captcha}[outbound]\n{outbound}\n{}", secrets());
        Place::new().load(&toml, &[]).map(|_| ()).map_err(|faults| {
            assert!(keys(&faults).iter().all(|key| *key == "captcha.verify_url"), "{faults}");
            faults.to_string()
        })
    };
    load("https://captcha.example/siteverify", "").unwrap();
    load("http://captcha.example:8080/", "plain_http = true\nports = [443, 8080]").unwrap();
    let reported = load("http://captcha.example/siteverify", "").unwrap_err();
    assert!(reported.contains("outbound.plain_http") && reported.contains("outbound.ports"), "{reported}");
    assert!(load("https://captcha.example:8443/", "").unwrap_err().contains("8443"));
    assert!(load("https://u:p@captcha.example/", "").unwrap_err().contains("user"));
}

/// Rows: C12.
#[test]
fn a_file_that_is_no_toml_is_told_without_its_content() {
    let faults = Place::new().load("[mail]\nurl = \"smtps://user:canary@host\n", &[]).unwrap_err();
    assert!(!faults.to_string().contains("canary"), "{faults}");
    assert!(keys(&faults)[0].ends_with("dispense.toml"), "{faults}");
    let place = Place::new();
    let missing = Sources { file: Some(place.0.path().join("nothing.toml")), ..place.sources("", &[]) };
    assert!(Config::load(&missing, app::faults).unwrap_err().to_string().contains("nothing.toml"));
}

/// Rows: C12.
#[test]
fn secrets_are_made_on_the_first_start_and_kept() {
    let place = Place::new();
    let first = place.load("", &[]).unwrap();
    let file = place.data().join("secrets.toml");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = |config: &Config| -> Vec<String> {
        config.secrets.canaries().iter().map(|s| s.expose().to_owned()).collect()
    };
    let second = place.load("", &[]).unwrap();
    assert_eq!(text(&first), text(&second));
    assert_eq!(first.secrets.vault[0].id, second.secrets.vault[0].id);
    let other = Place::new().load("", &[]).unwrap();
    assert!(text(&other).iter().all(|secret| !text(&first).contains(secret)), "each shop has its own");
    let leftovers = std::fs::read_dir(place.data()).unwrap().flatten().count();
    assert_eq!(leftovers, 1, "nothing but the file is left");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(place.load("", &[]).unwrap_err().to_string().contains("0600"));
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(place.data().join("postgres")).unwrap();
    let faults = place.load("", &[]).unwrap_err();
    assert!(faults.to_string().contains("bring it back"), "never made anew beside a database: {faults}");
}

/// Rows: C12.
#[test]
fn with_a_database_of_its_own_the_secrets_must_be_given_and_strong() {
    let place = Place::new();
    let url = [("DISPENSE_DATABASE__URL", "postgres://dispense_app@localhost/dispense")];
    let faults = place.load("", &url).unwrap_err();
    let names = ["vault", "fingerprint", "links", "tokens", "access"].map(|n| format!("secrets.{n}"));
    assert_eq!(keys(&faults), names.each_ref().map(String::as_str));
    assert!(!place.data().exists(), "nothing is made");

    let config = place.load(&secrets(), &url).unwrap();
    assert_eq!(config.secrets.tokens[0].id, "new");
    assert_eq!(config.secrets.vault[0].id.len(), 6, "a key without a name is called by its digest");
    assert!(!place.data().join("secrets.toml").exists());

    let weak = secrets().replace(&key(3), &"ab".repeat(32));
    assert_eq!(keys(&place.load(&weak, &url).unwrap_err()), ["secrets.links"]);
    let twice = secrets().replace(&key(3), &key(2));
    let faults = place.load(&twice, &url).unwrap_err();
    assert!(faults.to_string().contains("is the same as another"), "{faults}");
    let base64 =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hex::decode(key(1)).unwrap());
    let config = place.load(&secrets().replace(&key(1), &base64), &url).unwrap();
    assert_eq!(hex::encode(config.secrets.vault[0].bytes.expose()), key(1));
}

#[test]
fn an_account_takes_its_secrets_from_the_environment() {
    let toml = "[[accounts]]\nid = \"stripe-eu\"\ngateway = \"stripe\"\ncurrencies = [\"EUR\"]\n";
    let environment = [
        (
            "DISPENSE_ACCOUNTS__STRIPE_EU__SECRETS",
            "whsec_0123456789abcdefghijkl,whsec_older0123456789abcdefgh",
        ),
        ("DISPENSE_ACCOUNTS__STRIPE_EU__API_KEY", "sk_live_x"),
        ("DISPENSE_ACCOUNTS__STRIPE_EU__POLICY__MINIMUM", "50"),
    ];
    let config = Place::new().load(toml, &environment).unwrap();
    assert_eq!(config.accounts[0].secrets.len(), 2);
    assert_eq!(config.accounts[0].policy.minimum, Some(50));
}

/// Rows: C12.
#[test]
fn the_documented_file_is_the_default_configuration() {
    let text = config::documented();
    let place = Place::new();
    let documented = place.load(&text, &[]).unwrap();
    let default = place.load("", &[]).unwrap();
    assert_eq!(format!("{documented:?}"), format!("{default:?}"));
    let own: Vec<String> = [
        format!("{:?}", config::Server::default()),
        format!("{:?}", config::Connections::default()),
        format!("{:?}", config::Database::default()),
        format!("{:?}", config::Storage::default()),
        format!("{:?}", config::Mail::default()),
        format!("{:?}", config::Shop::default()),
        format!("{:?}", config::Limits::default()),
        format!("{:?}", config::Live::default()),
        format!("{:?}", config::Worker::default()),
        format!("{:?}", config::Log::default()),
    ]
    .into();
    let all = format!("{documented:?}");
    own.iter().for_each(|section| assert!(all.contains(section), "{section}\nis not in\n{all}"));
    // Behind its `# `, every key that has no default is one that can be set.
    let shown: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with("[[") || rest.split_once(" = ").is_some_and(|(k, _)| is_key(k)) =>
            {
                rest
            }
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let faults = place.load(&shown, &[]).unwrap_err();
    assert!(!faults.to_string().contains("unknown key"), "{faults}");
    let committed = std::fs::read_to_string("docs/dispense.toml").unwrap();
    assert!(committed == text, "docs/dispense.toml is not what `dispense config --default` prints");
}

fn is_key(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.')
}

#[test]
fn what_is_in_force_is_shown_with_secrets_masked() {
    let toml = format!(
        "{}[shop]\nname = \"Mine\"\n[[accounts]]\nid = \"a\"\ngateway = \"generic\"\ncurrencies = [\"EUR\"]\n\
         secrets = [\"0123456789abcdefghijklmnopqr\", \"0123456789abcdefghijklmnopqs\"]\n",
        secrets()
    );
    let place = Place::new();
    let url = [("DISPENSE_DATABASE__URL", "postgres://dispense_app:canary@localhost/dispense")];
    let shown = config::effective(&place.sources(&toml, &url)).unwrap();
    for secret in [&key(1), &key(4), "canary", "0123456789"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    for line in [
        "name = \"Mine\"",
        "url = \"********\"",
        "secrets = [\"********\", \"********\"]",
        "connections = 16",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert!(!Path::new(&place.data()).exists(), "showing makes nothing");
}
