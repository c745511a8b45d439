//! What each path answers: a function of the request's line and of what is known. Reads only, changes nothing.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use super::Admin;
use super::heartbeat::BEAT_AGE_MAX;
use crate::metrics;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
/// The page may run its own script and speak with its own server, and nobody may frame it.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; frame-ancestors 'none'";

/// What a page answers.
type Page = fn(&Admin) -> Response<Full<Bytes>>;

/// All pages there are.
pub const PAGES: [(&str, Page); 6] = [
    ("/", page),
    ("/healthz", live),
    ("/livez", live),
    ("/metrics", text_of_metrics),
    ("/readyz", ready),
    ("/version", version),
];

/// The answer to `method path`. The body of a HEAD is left out by the HTTP layer, which keeps its length.
pub fn answer(method: &Method, path: &str, admin: &Admin) -> Response<Full<Bytes>> {
    let Some((_, respond)) = PAGES.iter().find(|(known, _)| *known == path) else {
        return response(StatusCode::NOT_FOUND, TEXT, "no such page\n".to_owned());
    };
    if method != Method::GET && method != Method::HEAD {
        let mut refusal = response(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "only GET and HEAD\n".to_owned(),
        );
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    respond(admin)
}

fn live(admin: &Admin) -> Response<Full<Bytes>> {
    let age = admin.heartbeat.age();
    if age > BEAT_AGE_MAX {
        let text = format!(
            "the data plane gave no sign of life for {} s\n",
            age.as_secs()
        );
        return response(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
    }
    response(StatusCode::OK, TEXT, "ok\n".to_owned())
}

fn ready(admin: &Admin) -> Response<Full<Bytes>> {
    let readiness = admin.status.readiness();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let text = serde_json::to_string(&readiness).expect("strings and booleans are always JSON");
    response(status, JSON, text)
}

fn text_of_metrics(admin: &Admin) -> Response<Full<Bytes>> {
    response(
        StatusCode::OK,
        metrics::CONTENT_TYPE,
        admin.metrics.encode(),
    )
}

fn version(_: &Admin) -> Response<Full<Bytes>> {
    response(
        StatusCode::OK,
        JSON,
        concat!("{\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}").to_owned(),
    )
}

/// The dashboard: one page without anything from elsewhere, which reads `/readyz` and `/metrics`.
fn page(_: &Admin) -> Response<Full<Bytes>> {
    let mut page = response(StatusCode::OK, HTML, include_str!("page.html").to_owned());
    page.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(PAGE_POLICY),
    );
    page
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;
    use crate::admin::heartbeat::Heartbeat;
    use crate::metrics::Metrics;
    use crate::status::{State, Status};

    fn admin() -> Admin {
        let status = Status::new([("orders", true)]);
        Admin {
            metrics: Metrics::new(),
            status,
            heartbeat: Heartbeat::new(),
            api: None,
        }
    }

    async fn get(admin: &Admin, path: &str) -> (u16, String, String) {
        let response = answer(&Method::GET, path, admin);
        let content_type = response.headers()[CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            content_type,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn live_until_the_data_plane_stands_still_for_ten_seconds() {
        let admin = admin();
        tokio::time::sleep(Duration::from_secs(10)).await;
        for path in ["/livez", "/healthz"] {
            assert_eq!(
                get(&admin, path).await,
                (200, TEXT.to_owned(), "ok\n".to_owned())
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let dead = "the data plane gave no sign of life for 11 s\n";
        assert_eq!(
            get(&admin, "/livez").await,
            (503, TEXT.to_owned(), dead.to_owned())
        );
        admin.heartbeat.beat();
        assert_eq!(get(&admin, "/livez").await.0, 200);
    }

    #[tokio::test]
    async fn ready_when_started_and_until_the_drain() {
        let admin = admin();
        let page = |ready, draining, state, started| {
            format!(
                r#"{{"ready":{ready},"draining":{draining},"mappings":[{{"name":"orders","state":"{state}","started":{started},"reason":null}}]}}"#
            )
        };
        assert_eq!(
            get(&admin, "/readyz").await,
            (503, JSON.to_owned(), page(false, false, "Creating", false))
        );
        admin.status.started("orders");
        admin.status.set_state("orders", State::Enabled, None);
        assert_eq!(
            get(&admin, "/readyz").await,
            (200, JSON.to_owned(), page(true, false, "Enabled", true))
        );
        admin.status.draining();
        admin.status.set_state("orders", State::Disabling, None);
        assert_eq!(
            get(&admin, "/readyz").await,
            (503, JSON.to_owned(), page(false, true, "Disabling", true))
        );
    }

    #[tokio::test]
    async fn metrics_and_version_say_what_they_are() {
        let admin = admin();
        admin
            .metrics
            .mapping("orders", crate::metrics::Source::Queue)
            .record_polled(3);
        let (status, content_type, text) = get(&admin, "/metrics").await;
        assert_eq!(
            (status, content_type.as_str()),
            (200, "text/plain; version=0.0.4; charset=utf-8")
        );
        assert!(text.contains("sluicegate_events_polled_total{mapping=\"orders\"} 3\n"));
        let version = format!("{{\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            get(&admin, "/version").await,
            (200, JSON.to_owned(), version)
        );
    }

    #[test]
    fn other_methods_are_refused_and_other_paths_do_not_exist() {
        let admin = admin();
        let status = |method: &Method, path| answer(method, path, &admin).status().as_u16();
        for path in ["/", "/livez", "/healthz", "/readyz", "/metrics", "/version"] {
            for method in [
                Method::POST,
                Method::PUT,
                Method::DELETE,
                Method::OPTIONS,
                Method::TRACE,
            ] {
                let refusal = answer(&method, path, &admin);
                assert_eq!(refusal.status().as_u16(), 405, "{method} {path}");
                assert_eq!(refusal.headers()[ALLOW], "GET, HEAD");
            }
        }
        for path in [
            "",
            "*",
            "/livez/",
            "/LIVEZ",
            "/metrics/..",
            "/%6civez",
            "/debug/pprof",
            "http://x/livez",
        ] {
            assert_eq!(status(&Method::GET, path), 404, "{path}");
            assert_eq!(status(&Method::POST, path), 404, "{path}");
        }
    }

    #[tokio::test]
    async fn the_dashboard_reads_only_families_that_exist() {
        let admin = admin();
        let (status, content_type, html) = get(&admin, "/").await;
        assert_eq!((status, content_type.as_str()), (200, HTML));
        let mut read = 0;
        for call in ["rate(\"", "get(\""] {
            for name in html
                .split(call)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
            {
                let base = name.trim_end_matches("_count").trim_end_matches("_sum");
                // Where the page puts a name together from its parts, the parts stand elsewhere.
                if ["sluicegate_", "invocations_total."].contains(&base) {
                    continue;
                }
                let family = format!("sluicegate_{base}");
                assert!(
                    metrics::FAMILIES.iter().any(|known| known.name == family),
                    "{family}"
                );
                read += 1;
            }
        }
        assert!(read >= 8, "{read} names found");
    }
}
