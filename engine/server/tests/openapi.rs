//! The description of the API: every example of it is made against a real server, and every answer is as described.
#![allow(clippy::unwrap_used, reason = "test code: a panic is the report")]

mod common;

use common::Shop;
use reqwest::Method;
use suanpan_server::config::SecurityMode;
use suanpan_server::{Config, openapi};

/// The commented default configuration, as a user who tries the examples has it.
fn default_configuration(config: &mut Config) {
    let data_dir = config.data_dir.clone();
    *config = Config::builtin().unwrap();
    config.data_dir = data_dir;
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.security.mode = Some(SecurityMode::Development);
}

#[actix_web::test]
async fn every_example_works_on_the_default_configuration() {
    let shop = Shop::open_with(tempfile::TempDir::new().unwrap(), default_configuration).await;
    for example in openapi::examples() {
        let method = Method::from_bytes(example.endpoint.method.as_bytes()).unwrap();
        let answer = shop.call(method, &example.target(), example.body.as_ref()).await;
        let called = format!("{} {} ({})", example.endpoint.method, example.target(), example.name);
        assert_eq!(answer.status, example.status, "{called}: {}", answer.text);
        assert!(!answer.text.is_empty(), "{called}");
    }
    shop.assert_balanced().await;
    shop.close().await;
}

#[actix_web::test]
async fn the_description_is_served_for_programs_and_for_people() {
    let shop = Shop::open().await;
    assert_eq!(&shop.get("/openapi.json").await.json(), openapi::document());
    let page = shop.get("/docs").await;
    assert!(page.content_type.starts_with("text/html"), "{}", page.content_type);
    for operation in openapi::operations() {
        assert!(
            page.text.contains(&format!("id=\"{}\"", operation.id)),
            "{} is not on the page",
            operation.id
        );
    }
    // The page needs nothing from elsewhere.
    for outside in ["<script", "<link", "<img", "href=\"http", "@import", "url("] {
        assert!(!page.text.contains(outside), "the page has {outside}");
    }
    shop.close().await;
}
