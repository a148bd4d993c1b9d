//! Figures and logs of the process.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::infra::figures;

/// Upper bounds of the latency histogram, seconds.
const LATENCY: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How often old samples of histograms are folded in.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process's figures. The first call makes this the recorder that `metrics::counter!` and its kin write to.
pub fn figures() -> &'static PrometheusHandle {
    static FIGURES: OnceLock<PrometheusHandle> = OnceLock::new();
    FIGURES.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &LATENCY) {
            Ok(builder) => builder,
            Err(_) => PrometheusBuilder::new(),
        };
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder can only be there when a test installed one: then these figures stay empty.
        let _ = metrics::set_global_recorder(recorder);
        figures::begin();
        handle
    })
}

/// Folds samples in for as long as the process serves.
pub async fn keep_figures() {
    let mut every = tokio::time::interval(UPKEEP);
    loop {
        every.tick().await;
        figures().run_upkeep();
    }
}
