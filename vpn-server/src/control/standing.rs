//! What clients hear of an endpoint that does not take them.

use vpn_proto::{Denial, Farewell};

use crate::config::EndpointStanding;

impl EndpointStanding {
    /// Why a client is not let in.
    pub(super) fn refusal(self) -> Option<Denial> {
        let (code, public) = match self {
            Self::Available => return None,
            Self::Pending => ("endpoint-pending", "this endpoint is not associated with a network yet"),
            Self::Closing => ("endpoint-closing", "this endpoint is being closed"),
        };
        let detail = format!("the endpoint is {}", self.name());
        Some(Denial { code, public: public.to_owned(), detail })
    }

    /// What connected clients hear, and the reason in the connection log.
    pub(super) fn farewell(self) -> Option<(Farewell, &'static str)> {
        match self {
            Self::Available => None,
            Self::Pending => {
                let text = "this endpoint is not associated with a network any longer";
                Some((Farewell::Restart(text.to_owned()), "endpoint-pending"))
            }
            Self::Closing => {
                Some((Farewell::Halt("this endpoint is being closed".to_owned()), "endpoint-closing"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_available_endpoint_takes_and_keeps_clients() {
        assert_eq!(EndpointStanding::default(), EndpointStanding::Available);
        for (standing, code) in [
            (EndpointStanding::Available, None),
            (EndpointStanding::Pending, Some("endpoint-pending")),
            (EndpointStanding::Closing, Some("endpoint-closing")),
        ] {
            assert_eq!(standing.refusal().map(|denial| denial.code), code);
            assert_eq!(standing.farewell().map(|(_, reason)| reason), code);
        }
    }
}
