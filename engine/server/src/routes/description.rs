//! The description of the API, for programs and for people.

use actix_web::HttpResponse;
use actix_web::http::header;

use crate::openapi;

pub(super) async fn openapi() -> HttpResponse {
    let text = openapi::document().to_string();
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(text)
}

pub(super) async fn docs() -> HttpResponse {
    let page = openapi::page(openapi::document());
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8")).body(page)
}
