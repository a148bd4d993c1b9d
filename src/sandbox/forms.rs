//! Forms and queries as the simulated gateways read and write them.

use url::form_urlencoded;

/// Names and values in the order received.
pub(super) struct Form(pub Vec<(String, String)>);

impl Form {
    pub fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The value of a name; empty when it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// A name that comes twice, or with brackets, which signers read in different ways.
    pub fn is_ambiguous(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1]) || names.iter().any(|name| name.contains('['))
    }

    /// `name=value` joined by `&`, by name, of those that `keep` wants.
    pub fn text(&self, keep: impl Fn(&str, &str) -> bool) -> String {
        let mut pairs: Vec<&(String, String)> = self.0.iter().filter(|(n, v)| keep(n, v)).collect();
        pairs.sort();
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    pub fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }
}

/// A form from pairs that are at hand.
pub(super) fn form<const N: usize>(pairs: [(&str, &str); N]) -> Form {
    Form(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}
