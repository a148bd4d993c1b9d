//! What a gateway is asked over the network, and how its own functions become the answers.

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::payments::gateways::gateway::{
    Call, Closing, DisputesThere, Evidence, NewPayment, NewRefund, NoticeRefusal, NumberThere, PaymentRef,
    Queried, RawNotice, RefundRef, Refunding, StartFailure, Started, Statement,
};

/// The half of a gateway that calls it over the network; [`forwards`] implements it by a gateway's own functions. What has
/// a default does nothing and claims nothing: there is nothing to fetch, or the call is `Unsupported`.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Fetches what `authenticate` needs and the account does not have: nothing for most gateways. Whatever a notice
    /// names is checked before it is fetched.
    async fn evidence(&self, _call: &Call<'_>, _raw: &RawNotice) -> Result<Evidence, NoticeRefusal> {
        Ok(Evidence::default())
    }

    async fn start(&self, call: &Call<'_>, payment: &NewPayment<'_>) -> Result<Started, StartFailure>;

    async fn query(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried;

    /// Our number in what the gateway keeps of a trade: asked for refunds and disputes that carry none.
    async fn number_of(&self, _call: &Call<'_>, _trade_no: &str) -> NumberThere {
        NumberThere::Unsupported
    }

    /// Takes the money that the buyer has approved (`Meaning::Approved`) and answers the state after it. A repeat takes
    /// nothing more. `Unsupported` where approval and payment are one.
    async fn capture(&self, _call: &Call<'_>, _payment: &PaymentRef<'_>) -> Queried {
        Queried::Unsupported
    }

    /// Makes sure it cannot be paid any more, or finds that it was.
    async fn close(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing;

    /// Idempotent by `refund_id`: a repeat answers what became of the first. Where [`Abilities::refund_repeatable`]
    /// says no, it is called once and never again; `Failed` then means that nothing was given back.
    async fn refund(&self, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding;

    async fn refund_query(&self, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding;

    /// The disputes about a payment by their names, whose notices may have been lost.
    async fn disputes(&self, _call: &Call<'_>, _payment: &PaymentRef<'_>) -> DisputesThere {
        DisputesThere::Unsupported
    }

    /// The statement of one day of the gateway's own calendar.
    async fn statement(&self, _call: &Call<'_>, _day: NaiveDate) -> Statement {
        Statement::Unsupported
    }
}

/// What a gateway answers when it is called.
pub trait GatewayAnswer {
    /// Whether it is of use: from what is not nothing may be concluded.
    fn is_clear(&self) -> bool;
}

macro_rules! answers {
    ($($name:ty),*) => {$(
        impl GatewayAnswer for $name {
            fn is_clear(&self) -> bool {
                !matches!(self, Self::Unknown(_))
            }
        }
    )*};
}
answers!(NumberThere, Queried, DisputesThere, Closing, Refunding);

/// Whether it came within its time and is of use.
pub fn came_clearly<T: GatewayAnswer, E>(answer: &Result<T, E>) -> bool {
    answer.as_ref().is_ok_and(GatewayAnswer::is_clear)
}

/// Implements [`Calls`] for a gateway by its functions, in the order of the trait. Each takes `$through` (the gateway itself, or
/// its HTTP client), then the method's own arguments; what is left out keeps the trait's default.
macro_rules! forwards {
    ($gateway:ty: $this:ident => $through:expr;
        $(evidence: $evidence:path,)?
        start: $start:path,
        query: $query:path,
        $(number_of: $number_of:path,)?
        $(capture: $capture:path,)?
        close: $close:path,
        refund: $refund:path,
        refund_query: $refund_query:path,
        $(disputes: $disputes:path,)?
        $(statement: $statement:path,)?
    ) => {
        const _: () = {
            #[allow(unused_imports)] // Those of methods that are left out.
            use chrono::NaiveDate;
            #[allow(unused_imports)]
            use $crate::payments::gateways::gateway::{
                Call, Calls, Closing, DisputesThere, Evidence, NewPayment, NewRefund, NoticeRefusal, NumberThere,
                PaymentRef, Queried, RawNotice, RefundRef, Refunding, StartFailure, Started, Statement,
            };

            #[async_trait::async_trait]
            impl Calls for $gateway {
                $(async fn evidence(&self, call: &Call<'_>, raw: &RawNotice) -> Result<Evidence, NoticeRefusal> {
                    let $this = self;
                    $evidence($through, call, raw).await
                })?

                async fn start(&self, call: &Call<'_>, payment: &NewPayment<'_>) -> Result<Started, StartFailure> {
                    let $this = self;
                    $start($through, call, payment).await
                }

                async fn query(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
                    let $this = self;
                    $query($through, call, payment).await
                }

                $(async fn number_of(&self, call: &Call<'_>, trade_no: &str) -> NumberThere {
                    let $this = self;
                    $number_of($through, call, trade_no).await
                })?

                $(async fn capture(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Queried {
                    let $this = self;
                    $capture($through, call, payment).await
                })?

                async fn close(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> Closing {
                    let $this = self;
                    $close($through, call, payment).await
                }

                async fn refund(&self, call: &Call<'_>, refund: &NewRefund<'_>) -> Refunding {
                    let $this = self;
                    $refund($through, call, refund).await
                }

                async fn refund_query(&self, call: &Call<'_>, refund: &RefundRef<'_>) -> Refunding {
                    let $this = self;
                    $refund_query($through, call, refund).await
                }

                $(async fn disputes(&self, call: &Call<'_>, payment: &PaymentRef<'_>) -> DisputesThere {
                    let $this = self;
                    $disputes($through, call, payment).await
                })?

                $(async fn statement(&self, call: &Call<'_>, day: NaiveDate) -> Statement {
                    let $this = self;
                    $statement($through, call, day).await
                })?
            }
        };
    };
}

pub(in crate::payments::gateways) use forwards;
