//! Which request fails, and how.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use tokio::sync::Notify;

use super::frame::Request;
use super::refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is done, and answered so much later.
    Delay(Duration),
    /// The connection is closed before the request has reached the broker.
    Drop,
    /// The broker does it; the connection is closed in place of an answer.
    Lose,
    /// The broker does it; the connection is closed in the middle of the answer.
    Cut,
    /// The broker never sees it; the answer is this error, for everything that was asked for.
    Error(ResponseError),
    /// The broker never sees it, the connection stands, and nothing comes back.
    Silence,
}

#[derive(Default)]
pub(crate) struct Plan {
    orders: Mutex<Vec<Order>>,
    made: Notify,
}

struct Order {
    api: ApiKey,
    fault: Fault,
    left: usize,
    made: usize,
    concerns: Box<dyn Fn(&Request) -> bool + Send>,
}

pub(super) enum Action {
    Carry,
    Refuse(Bytes),
    Fail(Fault),
}

impl Plan {
    /// The next `count` requests of this kind fail. Requests that have no room for the error are let through.
    pub(crate) fn next(&self, api: ApiKey, count: usize, fault: Fault) {
        self.next_where(api, count, fault, |_| true);
    }

    /// As [`next`](Self::next), only the requests that `concerns` tells.
    pub(crate) fn next_where(
        &self,
        api: ApiKey,
        count: usize,
        fault: Fault,
        concerns: impl Fn(&Request) -> bool + Send + 'static,
    ) {
        self.orders().push(Order { api, fault, left: count, made: 0, concerns: Box::new(concerns) });
    }

    pub(crate) fn end(&self) {
        self.orders().iter_mut().for_each(|order| order.left = 0);
    }

    pub(crate) fn made(&self) -> usize {
        self.orders().iter().map(|order| order.made).sum()
    }

    pub(crate) async fn reaches(&self, count: usize) {
        loop {
            let told = self.made.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.made() >= count {
                return;
            }
            told.await;
        }
    }

    pub(super) fn take(&self, request: &Request, proxy: SocketAddr) -> Action {
        let mut orders = self.orders();
        let ours = |order: &Order| order.api == request.api && order.left > 0 && (order.concerns)(request);
        for order in orders.iter_mut().filter(|order| ours(order)) {
            let action = match order.fault {
                Fault::Error(code) => refusal::of(request, code, proxy).map(Action::Refuse),
                fault => Some(Action::Fail(fault)),
            };
            if let Some(action) = action {
                order.left -= 1;
                order.made += 1;
                self.made.notify_waiters();
                return action;
            }
        }
        Action::Carry
    }

    fn orders(&self) -> MutexGuard<'_, Vec<Order>> {
        self.orders.lock().expect("no panic while it is held")
    }
}
