//! What goes wrong, by chance from a seed or by script, and how often it did.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use fastrand::Rng;

use super::{history::Event, kinesis::KinesisOperation, world::World};

/// An operation of the embedded AWS, by AWS's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // AWS's own names.
pub enum Operation {
    ChangeMessageVisibility,
    ChangeMessageVisibilityBatch,
    CreateQueue,
    DeleteMessage,
    DeleteMessageBatch,
    DeleteQueue,
    GetQueueAttributes,
    GetQueueUrl,
    ListQueues,
    PurgeQueue,
    ReceiveMessage,
    SendMessage,
    SendMessageBatch,
    SetQueueAttributes,
    GetFunction,
    GetFunctionConfiguration,
    Invoke,
    BatchWriteItem,
    CreateTable,
    DeleteItem,
    DeleteTable,
    DescribeTable,
    GetItem,
    PutItem,
    UpdateItem,
    UpdateTable,
    /// DescribeStream of DynamoDB Streams, whose operations have the names of Kinesis's; so the other three.
    StreamsDescribeStream,
    StreamsGetRecords,
    StreamsGetShardIterator,
    StreamsListStreams,
    CreateTopic,
    Publish,
    CreateBucket,
    GetObject,
    PutObject,
    /// Kinesis, whose names DynamoDB Streams shares.
    Kinesis(KinesisOperation),
    /// Anything that the embedded AWS does not have.
    Unknown,
}

impl Operation {
    /// The SQS operation of this name.
    pub(super) fn of_sqs(name: &str) -> Self {
        match name {
            "ChangeMessageVisibility" => Self::ChangeMessageVisibility,
            "ChangeMessageVisibilityBatch" => Self::ChangeMessageVisibilityBatch,
            "CreateQueue" => Self::CreateQueue,
            "DeleteMessage" => Self::DeleteMessage,
            "DeleteMessageBatch" => Self::DeleteMessageBatch,
            "DeleteQueue" => Self::DeleteQueue,
            "GetQueueAttributes" => Self::GetQueueAttributes,
            "GetQueueUrl" => Self::GetQueueUrl,
            "ListQueues" => Self::ListQueues,
            "PurgeQueue" => Self::PurgeQueue,
            "ReceiveMessage" => Self::ReceiveMessage,
            "SendMessage" => Self::SendMessage,
            "SendMessageBatch" => Self::SendMessageBatch,
            "SetQueueAttributes" => Self::SetQueueAttributes,
            _ => Self::Unknown,
        }
    }

    /// The DynamoDB operation of this name.
    pub(super) fn of_dynamodb(name: &str) -> Self {
        match name {
            "BatchWriteItem" => Self::BatchWriteItem,
            "CreateTable" => Self::CreateTable,
            "DeleteItem" => Self::DeleteItem,
            "DeleteTable" => Self::DeleteTable,
            "DescribeTable" => Self::DescribeTable,
            "GetItem" => Self::GetItem,
            "PutItem" => Self::PutItem,
            "UpdateItem" => Self::UpdateItem,
            "UpdateTable" => Self::UpdateTable,
            _ => Self::Unknown,
        }
    }

    /// The operation of this name of DynamoDB Streams.
    pub(super) fn of_dynamodb_streams(name: &str) -> Self {
        match name {
            "DescribeStream" => Self::StreamsDescribeStream,
            "GetRecords" => Self::StreamsGetRecords,
            "GetShardIterator" => Self::StreamsGetShardIterator,
            "ListStreams" => Self::StreamsListStreams,
            _ => Self::Unknown,
        }
    }
}

// API: Common Errors of SQS, Kinesis, Lambda and DynamoDB (codes and statuses); Errors of GetRecords, GetShardIterator, ListShards,
// SubscribeToShard, ReceiveMessage, DeleteMessage and ChangeMessageVisibility (the rest)
/// A kind of fault. The first group changes nothing in the world; the second answers badly after the effect; the rest belongs to queues and to streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Refused for its rate: RequestThrottled in SQS, 429 in Lambda, SlowDown in S3; by each service's own name.
    Throttled,
    /// 500 InternalFailure.
    InternalError,
    /// 503 ServiceUnavailable.
    Unavailable,
    /// 503 without body or error type.
    BareUnavailable,
    /// 403 AccessDenied.
    AccessDenied,
    /// 403 ExpiredToken: the caller's credentials ran out.
    ExpiredToken,
    /// 403 RequestTimeTooSkewed: the request was signed too long ago, or in the future. Also what a machine earns whose clock is wrong.
    RequestTimeTooSkewed,
    /// A proxy on the way answers 502 in HTML.
    ProxyHtml,
    /// The connection cannot be opened: nobody answers. Over TCP as `NeverAnswers`.
    ConnectHangs,
    /// The connection is reset before the request has its effect.
    ResetBefore,
    /// The request is taken and never answered, without effect.
    NeverAnswers,

    /// The effect happens, then the connection is reset.
    ResetAfter,
    /// The effect happens, the answer never comes.
    AnswerLost,
    /// The effect happens, the answer comes late, by up to `Faults`' slowness.
    Slow,
    /// The answer's head and half of its body come, then nothing more.
    StalledBody,
    /// The answer's head and half of its body come, then the connection ends.
    TruncatedBody,
    /// A whole answer whose body is half a JSON text.
    MalformedJson,
    /// A whole answer whose body is no UTF-8.
    InvalidUtf8,
    /// A good body under the content type text/plain.
    WrongContentType,

    /// ReceiveMessage, standard queues: a message of the answer, any of them, stays visible too.
    DuplicateDelivery,
    /// ReceiveMessage: the visibility timeout of a message of the answer, any of them, runs out early.
    EarlyVisibility,
    /// ReceiveMessage: nothing comes though there are messages.
    EmptyReceive,
    /// ReceiveMessage: the MD5 of a body, any of the answer's, is wrong.
    WrongMd5,
    /// ReceiveMessage: a message, any of the answer's, lacks its body.
    MissingBody,
    /// ReceiveMessage: a message, any of the answer's, lacks its receipt handle.
    MissingReceipt,
    /// ReceiveMessage: the queue has too many messages in flight.
    OverLimit,
    /// The batch operations: one entry or more fail, and may succeed if tried again.
    PartialRetryable,
    /// The batch operations: one entry or more fail for good.
    PartialFinal,
    /// DeleteMessage and ChangeMessageVisibility and their batches: the receipt handle is refused.
    ReceiptHandleInvalid,
    /// ChangeMessageVisibility and its batch: the message would be hidden for longer than 12 hours.
    VisibilityCap,

    /// GetRecords: the iterator has expired.
    IteratorExpired,
    /// GetRecords, and GetShardIterator with a sequence number: the position was trimmed. In Kinesis, records that the reader has not
    /// seen really leave the shard, up to a point that chance chooses; only the iterator of a sequence number is refused.
    TrimmedPosition,
    /// GetRecords, and Kinesis's GetShardIterator: the shard has too many readers.
    ReadThrottled,
    /// GetRecords: nothing comes though there are records, and the next iterator stands where this one stood.
    EmptyRead,
    /// The listing of shards lags behind: the newest are missing, and nothing says so.
    IncompleteListing,
    /// SubscribeToShard: the first event's frame has a wrong checksum.
    BrokenEventStream,
    /// SubscribeToShard: nothing comes after the first event, as on a connection that died unnoticed.
    SilentEventStream,
    /// Kinesis's ListShards: the answer is half a page, and the token for the rest of it is refused as too old.
    NextTokenExpired,
    /// Kinesis's GetRecords: others have read the shard as often as it may be read in this second.
    ReadsSpent,
    /// Kinesis's GetRecords: others have read five seconds' worth of bytes from the shard.
    BytesSpent,
}

impl Fault {
    /// Every kind, for tests that try them all.
    pub const ALL: [Self; 40] = [
        Self::Throttled,
        Self::InternalError,
        Self::Unavailable,
        Self::BareUnavailable,
        Self::AccessDenied,
        Self::ExpiredToken,
        Self::RequestTimeTooSkewed,
        Self::ProxyHtml,
        Self::ConnectHangs,
        Self::ResetBefore,
        Self::NeverAnswers,
        Self::ResetAfter,
        Self::AnswerLost,
        Self::Slow,
        Self::StalledBody,
        Self::TruncatedBody,
        Self::MalformedJson,
        Self::InvalidUtf8,
        Self::WrongContentType,
        Self::DuplicateDelivery,
        Self::EarlyVisibility,
        Self::EmptyReceive,
        Self::WrongMd5,
        Self::MissingBody,
        Self::MissingReceipt,
        Self::OverLimit,
        Self::PartialRetryable,
        Self::PartialFinal,
        Self::ReceiptHandleInvalid,
        Self::VisibilityCap,
        Self::IteratorExpired,
        Self::TrimmedPosition,
        Self::ReadThrottled,
        Self::EmptyRead,
        Self::IncompleteListing,
        Self::BrokenEventStream,
        Self::SilentEventStream,
        Self::NextTokenExpired,
        Self::ReadsSpent,
        Self::BytesSpent,
    ];

    /// Whether the fault can happen to this operation.
    pub fn fits(self, operation: Operation) -> bool {
        match self {
            Self::DuplicateDelivery
            | Self::EarlyVisibility
            | Self::EmptyReceive
            | Self::WrongMd5
            | Self::MissingBody
            | Self::MissingReceipt
            | Self::OverLimit => operation == Operation::ReceiveMessage,
            Self::PartialRetryable | Self::PartialFinal => matches!(
                operation,
                Operation::ChangeMessageVisibilityBatch
                    | Operation::DeleteMessageBatch
                    | Operation::SendMessageBatch
            ),
            Self::ReceiptHandleInvalid => matches!(
                operation,
                Operation::ChangeMessageVisibility
                    | Operation::ChangeMessageVisibilityBatch
                    | Operation::DeleteMessage
                    | Operation::DeleteMessageBatch
            ),
            Self::VisibilityCap => matches!(
                operation,
                Operation::ChangeMessageVisibility | Operation::ChangeMessageVisibilityBatch
            ),
            Self::IteratorExpired | Self::EmptyRead => matches!(
                operation,
                Operation::StreamsGetRecords | Operation::Kinesis(KinesisOperation::GetRecords)
            ),
            Self::ReadThrottled => matches!(
                operation,
                Operation::StreamsGetRecords
                    | Operation::Kinesis(
                        KinesisOperation::GetRecords | KinesisOperation::GetShardIterator
                    )
            ),
            Self::TrimmedPosition => matches!(
                operation,
                Operation::StreamsGetRecords
                    | Operation::StreamsGetShardIterator
                    | Operation::Kinesis(
                        KinesisOperation::GetRecords | KinesisOperation::GetShardIterator
                    )
            ),
            Self::IncompleteListing => matches!(
                operation,
                Operation::StreamsDescribeStream | Operation::Kinesis(KinesisOperation::ListShards)
            ),
            Self::BrokenEventStream | Self::SilentEventStream => {
                operation == Operation::Kinesis(KinesisOperation::SubscribeToShard)
            }
            Self::NextTokenExpired => operation == Operation::Kinesis(KinesisOperation::ListShards),
            Self::ReadsSpent | Self::BytesSpent => {
                operation == Operation::Kinesis(KinesisOperation::GetRecords)
            }
            Self::Throttled
            | Self::InternalError
            | Self::Unavailable
            | Self::BareUnavailable
            | Self::AccessDenied
            | Self::ExpiredToken
            | Self::RequestTimeTooSkewed
            | Self::ProxyHtml
            | Self::ConnectHangs
            | Self::ResetBefore
            | Self::NeverAnswers
            | Self::ResetAfter
            | Self::AnswerLost
            | Self::Slow
            | Self::StalledBody
            | Self::TruncatedBody
            | Self::MalformedJson
            | Self::InvalidUtf8
            | Self::WrongContentType => true,
        }
    }
}

/// The plan, and what came of it. Chance is drawn from a generator of its own, so that a plan does not change the identifiers.
#[derive(Debug)]
pub(super) struct Faults {
    rng: Rng,
    chances: BTreeMap<(Option<Operation>, Fault), f64>,
    script: BTreeMap<Operation, VecDeque<Option<Fault>>>,
    counts: BTreeMap<(Operation, Fault), u64>,
    slow: Duration,
}

/// How late a slow answer is at most, unless told otherwise.
const SLOW: Duration = Duration::from_secs(5);

/// What callers see of a region that is out.
const OUTAGE: [Fault; 5] = [
    Fault::Unavailable,
    Fault::BareUnavailable,
    Fault::InternalError,
    Fault::ResetBefore,
    Fault::ConnectHangs,
];

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed ^ 0x5eed_fa17),
            chances: BTreeMap::new(),
            script: BTreeMap::new(),
            counts: BTreeMap::new(),
            slow: SLOW,
        }
    }

    /// What happens to the next call: the script goes before chance.
    fn draw(&mut self, operation: Operation) -> Option<Fault> {
        let fault = match self
            .script
            .get_mut(&operation)
            .and_then(VecDeque::pop_front)
        {
            Some(scripted) => scripted?,
            None => self.by_chance(operation)?,
        };
        *self.counts.entry((operation, fault)).or_default() += 1;
        Some(fault)
    }

    /// How a call fails while everything does.
    fn draw_outage(&mut self, operation: Operation) -> Fault {
        let fault = OUTAGE[self.rng.usize(..OUTAGE.len())];
        *self.counts.entry((operation, fault)).or_default() += 1;
        fault
    }

    fn by_chance(&mut self, operation: Operation) -> Option<Fault> {
        let rng = &mut self.rng;
        let hit = |(&(only, fault), &chance): (&(Option<Operation>, Fault), &f64)| {
            let concerned = only.is_none_or(|only| only == operation) && fault.fits(operation);
            (concerned && rng.f64() < chance).then_some(fault)
        };
        self.chances.iter().find_map(hit)
    }
}

impl World {
    /// From now on `fault` happens to each fitting call with this probability (0 to 1); `None` for `operation` means all.
    ///
    /// # Panics
    /// When the fault does not fit the operation: a test that injects it would prove nothing.
    pub fn fault_chance(&self, operation: Option<Operation>, fault: Fault, probability: f64) {
        assert!(
            operation.is_none_or(|operation| fault.fits(operation)),
            "{fault:?} does not fit {operation:?}"
        );
        self.lock()
            .faults
            .chances
            .insert((operation, fault), probability);
    }

    /// The next `times` calls of `operation` (after those already scripted) get `fault`.
    pub fn fault_next(&self, operation: Operation, fault: Fault, times: usize) {
        self.fault_script(operation, std::iter::repeat_n(Some(fault), times));
    }

    /// Scripts the next calls of `operation`: `None` leaves a call alone, also from chance.
    ///
    /// # Panics
    /// When a fault does not fit the operation: a test that injects it would prove nothing.
    pub fn fault_script(
        &self,
        operation: Operation,
        faults: impl IntoIterator<Item = Option<Fault>>,
    ) {
        let faults: Vec<Option<Fault>> = faults.into_iter().collect();
        let misfit = faults.iter().flatten().find(|fault| !fault.fits(operation));
        assert!(misfit.is_none(), "{misfit:?} does not fit {operation:?}");
        self.lock()
            .faults
            .script
            .entry(operation)
            .or_default()
            .extend(faults);
    }

    /// How late a slow answer is at most.
    pub fn fault_slowness(&self, at_most: Duration) {
        self.lock().faults.slow = at_most;
    }

    /// Heals the world: no more faults, by chance or by script, and no mishap lasts. The counts stay.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.faults.chances.clear();
        state.faults.script.clear();
        state.mishaps.heal();
        drop(state);
        self.functions_back();
    }

    /// How often each fault happened.
    pub fn fault_counts(&self) -> BTreeMap<(Operation, Fault), u64> {
        self.lock().faults.counts.clone()
    }

    /// Decides about one call, and keeps the books. A region that is out answers nobody.
    pub(super) fn draw_fault(&self, operation: Operation) -> Option<Fault> {
        let at = self.clock().elapsed();
        let mut state = self.lock();
        let fault = if state.mishaps.out(at) {
            state.faults.draw_outage(operation)
        } else {
            state.faults.draw(operation)?
        };
        state
            .history
            .record(at, || Event::Faulted { operation, fault });
        Some(fault)
    }

    /// This fault happens to this call, for a reason of its own.
    pub(super) fn happened(&self, operation: Operation, fault: Fault) -> Fault {
        let at = self.clock().elapsed();
        let mut state = self.lock();
        *state.faults.counts.entry((operation, fault)).or_default() += 1;
        state
            .history
            .record(at, || Event::Faulted { operation, fault });
        fault
    }

    /// How late this slow answer is: a tenth of the slowness to all of it.
    pub(super) fn draw_slowness(&self) -> Duration {
        let faults = &mut self.lock().faults;
        faults.slow.mul_f64(0.1 + 0.9 * faults.rng.f64())
    }
}
