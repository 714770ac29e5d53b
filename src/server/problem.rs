//! What went wrong with a request, as RFC 9457 writes it: for programs, and in words for people.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use color_eyre::eyre::Report;
use serde::Serialize;
use serde_json::Value;

use crate::advice::Advice as _;
use crate::app::journal::Contended;
use crate::app::patient_change::AdmissionError;
use crate::kafka::error::KafkaError;
use crate::store::StoreError;

/// Who is told to come again does so after this.
const COME_AGAIN_SECONDS: u16 = 1;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    hint: Option<String>,
    /// Members of its own, an object.
    more: Option<Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), hint: None, more: None }
    }

    /// The request cannot be meant.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Too many ask at once.
    pub(super) fn crowded(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
    }

    /// What is asked for cannot be had now.
    pub(super) fn away(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// Nobody can say yet whose a token is.
    pub(super) fn not_known_yet() -> Self {
        Self::away("who may come in is not known yet: the store has not told").hint("/readyz tells why")
    }

    /// What goes wrong, and what mends it.
    pub(super) fn in_words(&self) -> (StatusCode, String) {
        let hint = self.hint.as_ref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        (self.status, format!("{}{hint}", self.detail))
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With members of its own: an object.
    pub(super) fn with(self, more: Value) -> Self {
        Self { more: Some(more), ..self }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self { hint: error.hint(), ..Self::away(format!("the store does not answer: {error}")) }
    }
}

impl From<KafkaError> for Problem {
    fn from(error: KafkaError) -> Self {
        let problem = match error {
            KafkaError::NoGroup { .. } | KafkaError::NoTopic { .. } => Self::not_found(error.to_string()),
            _ => Self::away(error.to_string()),
        };
        Self { hint: error.hint(), ..problem }
    }
}

impl From<Report> for Problem {
    fn from(report: Report) -> Self {
        if let Some(error) = report.downcast_ref::<StoreError>() {
            return error.clone().into();
        }
        if let Some(error) = report.downcast_ref::<Contended>() {
            return Self { hint: error.hint(), ..Self::away(error.to_string()) };
        }
        let Some(error) = report.downcast_ref::<AdmissionError>() else {
            return Self::new(StatusCode::INTERNAL_SERVER_ERROR, report.to_string());
        };
        let status = match error {
            AdmissionError::NotIn { .. } | AdmissionError::IsIn { .. } => StatusCode::CONFLICT,
            AdmissionError::Unreadable { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { hint: error.hint(), ..Self::new(status, error.to_string()) }
    }
}

/// The members that RFC 9457 names, and what to do next.
#[derive(Serialize)]
struct Members<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(flatten)]
    more: Option<&'a Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail, hint, more } = &self;
        let title = status.canonical_reason().unwrap_or_default();
        let (status_code, hint, more) = (status.as_u16(), hint.as_deref(), more.as_ref());
        let members = Members { r#type: "about:blank", title, status: status_code, detail, hint, more };
        let mut response = Response::new(Body::from(serde_json::to_vec(&members).unwrap_or_default()));
        *response.status_mut() = *status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, COME_AGAIN_SECONDS.into());
        }
        response
    }
}
