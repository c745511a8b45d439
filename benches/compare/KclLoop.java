import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.SignedRequest;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.CoordinatorConfig.ClientVersionConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.MetricsLevel;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * What one writes on the Kinesis Client Library to invoke a function: an event of what it hands over, a post, a checkpoint. Nothing is split,
 * repeated or given up, and any failure ends it.
 *
 * <p>{@code KclLoop ENDPOINT STREAM_ARN DYNAMODB_ENDPOINT}, until it is killed; started by {@code benches/compare/run}.
 */
public final class KclLoop {
    private static final AwsBasicCredentials KEY = AwsBasicCredentials.create("anyone", "anything");
    private static final AwsV4HttpSigner SIGNER = AwsV4HttpSigner.create();
    private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private record Invoking(URI function, String stream) {
        void invoke(String shard, ProcessRecordsInput input) throws Exception {
            StringBuilder event = new StringBuilder(64 + 2_000 * input.records().size()).append("{\"Records\":[");
            for (KinesisClientRecord record : input.records()) {
                append(event, shard, record);
            }
            event.setCharAt(event.length() - 1, ']');
            byte[] body = event.append('}').toString().getBytes(StandardCharsets.UTF_8);
            int status = HTTP.send(signed(body), HttpResponse.BodyHandlers.ofString()).statusCode();
            if (status != 200) {
                throw new IllegalStateException("the function answered " + status);
            }
        }

        /** As Lambda wants it, and as everybody else here does: by the SDK's own signer. */
        private HttpRequest signed(byte[] body) {
            SdkHttpRequest plain = SdkHttpRequest.builder().method(SdkHttpMethod.POST).uri(function).putHeader("Content-Type", "application/json").build();
            SignedRequest signed = SIGNER.sign(request -> request.identity(KEY).request(plain).payload(ContentStreamProvider.fromByteArray(body))
                .putProperty(AwsV4HttpSigner.SERVICE_SIGNING_NAME, "lambda").putProperty(AwsV4HttpSigner.REGION_NAME, Region.US_EAST_1.id()));
            HttpRequest.Builder post = HttpRequest.newBuilder(function).POST(HttpRequest.BodyPublishers.ofByteArray(body));
            signed.request().forEachHeader((name, values) -> {
                // The client writes the host itself.
                if (!name.equalsIgnoreCase("host")) {
                    post.header(name, values.get(0));
                }
            });
            return post.build();
        }

        private void append(StringBuilder event, String shard, KinesisClientRecord record) {
            ByteBuffer data = record.data();
            byte[] bytes = new byte[data.remaining()];
            data.get(bytes);
            event.append("{\"kinesis\":{\"kinesisSchemaVersion\":\"1.0\",\"partitionKey\":\"").append(record.partitionKey())
                .append("\",\"sequenceNumber\":\"").append(record.sequenceNumber())
                .append("\",\"data\":\"").append(Base64.getEncoder().encodeToString(bytes))
                .append("\",\"approximateArrivalTimestamp\":").append(record.approximateArrivalTimestamp().toEpochMilli() / 1000.0)
                .append("},\"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\",\"eventID\":\"").append(shard).append(':').append(record.sequenceNumber())
                .append("\",\"eventName\":\"aws:kinesis:record\",\"invokeIdentityArn\":\"\",\"awsRegion\":\"us-east-1\",\"eventSourceARN\":\"")
                .append(stream).append("\"},");
        }
    }

    private static final class Processor implements ShardRecordProcessor {
        private final Invoking invoking;
        private String shard;

        Processor(Invoking invoking) {
            this.invoking = invoking;
        }

        @Override
        public void initialize(InitializationInput input) {
            shard = input.shardId();
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            if (input.records().isEmpty()) {
                return;
            }
            try {
                invoking.invoke(shard, input);
                input.checkpointer().checkpoint();
            } catch (Exception error) {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
            }
        }

        @Override
        public void leaseLost(LeaseLostInput input) {}

        @Override
        public void shardEnded(ShardEndedInput input) {}

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {}
    }

    public static void main(String[] arguments) {
        URI endpoint = URI.create(arguments[0]);
        String stream = arguments[1];
        URI tables = URI.create(arguments[2]);
        Invoking invoking = new Invoking(URI.create(endpoint + "/2015-03-31/functions/bench/invocations"), stream);
        String name = stream.substring(stream.indexOf('/') + 1);

        var key = StaticCredentialsProvider.create(KEY);
        var http = NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1).build();
        var kinesis = KinesisAsyncClient.builder().region(Region.US_EAST_1).credentialsProvider(key).endpointOverride(endpoint).httpClient(http).build();
        var dynamoDb = DynamoDbAsyncClient.builder().region(Region.US_EAST_1).credentialsProvider(key).endpointOverride(tables).httpClient(http).build();
        var cloudWatch = CloudWatchAsyncClient.builder().region(Region.US_EAST_1).credentialsProvider(key).endpointOverride(tables).httpClient(http).build();

        var start = InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
        var config = new ConfigsBuilder(
            new SingleStreamTracker(name, start), "bench", kinesis, dynamoDb, cloudWatch, "worker", () -> new Processor(invoking));
        new Scheduler(
            config.checkpointConfig(),
            config.coordinatorConfig().clientVersionConfig(ClientVersionConfig.CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X),
            // Its usual one costs no more, but a minute before the first record. A lease must not run out on a busy machine: its time
            // is the usual one.
            config.leaseManagementConfig().shardSyncIntervalMillis(100),
            config.lifecycleConfig(),
            config.metricsConfig().metricsLevel(MetricsLevel.NONE),
            config.processorConfig(),
            config.retrievalConfig().retrievalSpecificConfig(new PollingConfig(name, kinesis).maxRecords(1_000).idleTimeBetweenReadsInMillis(200)))
            .run();
    }
}
