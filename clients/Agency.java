// Sample client of the agencies' interface: JDK 11 or later, nothing else.
//
//   export AGENCY_URL=https://front.example AGENCY_KEY=… AGENCY_SECRET=…      (secret in hex, as given)
//   java Agency.java list [updated_since] | read NUMBER | acknowledge NUMBER | answer NUMBER CODE TEXT [FILE …]
//   java Agency.java feeds | push FEED FILE | delivery ID
//
// Signs with HMAC-SHA256, which every JDK has. Words of the command line need a UTF-8 locale (LC_ALL=C.UTF-8). Free to copy into an agency's own system. Exit code 0 only when it was done.

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Agency {
    private static final String URL = System.getenv("AGENCY_URL").replaceAll("/+$", "");
    private static final String KEY = System.getenv("AGENCY_KEY");
    private static final byte[] SECRET = bytes(System.getenv("AGENCY_SECRET"));
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final HttpClient HTTP =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(10)).build();

    static final class Refused extends RuntimeException {
        Refused(int status, String body) {
            super(status + " " + body);
        }
    }

    static HttpResponse<String> ask(String method, String path, byte[] body, String... headers) throws Exception {
        String stamp = Long.toString(System.currentTimeMillis()), nonce = random(12);
        String digest = hex(MessageDigest.getInstance("SHA-256").digest(body));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(SECRET, "HmacSHA256"));
        String text = String.join("\n", method, path, digest, stamp, nonce);
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(URL + path))
            .timeout(Duration.ofSeconds(60))
            .header("X-App-Key", KEY)
            .header("X-Timestamp", stamp)
            .header("X-Nonce", nonce)
            .header("X-Content-SHA256", digest)
            .header("X-Signature-Alg", "HMAC-SHA256")
            .header("X-Signature", hex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8))));
        if (headers.length > 0) {
            request.headers(headers);
        }
        request.method(method, method.equals("POST")
            ? HttpRequest.BodyPublishers.ofByteArray(body) : HttpRequest.BodyPublishers.noBody());
        HttpResponse<String> answer =
            HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
        if (answer.statusCode() >= 300) {
            throw new Refused(answer.statusCode(), answer.body());
        }
        return answer;
    }

    /** A POST that may be tried again: under one key it is done once, whatever is lost on the way. */
    static String postOnce(String path, byte[] body, String... headers) throws Exception {
        List<String> all = new ArrayList<>(Arrays.asList(headers));
        all.addAll(List.of("Idempotency-Key", random(16)));
        for (int attempt = 0; ; attempt++) {
            try {
                return ask("POST", path, body, all.toArray(new String[0])).body();
            } catch (IOException lost) {
                if (attempt == 4) {
                    throw lost;
                }
                Thread.sleep(1000L << attempt);
            }
        }
    }

    static String place(String number, String verb) {
        return "/api/v1/received/" + percent(number) + (verb.isEmpty() ? "" : "/" + verb);
    }

    static String etag(String number) throws Exception {
        return ask("GET", place(number, ""), new byte[0]).headers().firstValue("ETag").orElseThrow();
    }

    static String say(String number, String verb, String json) throws Exception {
        return postOnce(place(number, verb), json.getBytes(StandardCharsets.UTF_8),
            "Content-Type", "application/json", "If-Match", etag(number));
    }

    static String handIn(String path, Path file) throws Exception {
        return postOnce(path, Files.readAllBytes(file), "Content-Type", "application/octet-stream",
            "X-File-Name", percent(file.getFileName().toString()));
    }

    static String field(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(json);
        return found.find() ? found.group(1) : "";
    }

    static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            out.append(c == '"' || c == '\\' ? "\\" + c : c < ' ' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
        }
        return out.append('"').toString();
    }

    static String percent(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
    }

    static String random(int length) {
        byte[] data = new byte[length];
        RANDOM.nextBytes(data);
        return hex(data);
    }

    static String hex(byte[] data) {
        StringBuilder out = new StringBuilder();
        for (byte b : data) {
            out.append(String.format("%02x", b));
        }
        return out.toString();
    }

    static byte[] bytes(String hex) {
        byte[] out = new byte[hex.length() / 2];
        for (int i = 0; i < out.length; i++) {
            out[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return out;
    }

    public static void main(String[] words) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
        System.setErr(new java.io.PrintStream(System.err, true, StandardCharsets.UTF_8));
        String verb = words.length == 0 ? "" : words[0];
        byte[] nothing = new byte[0];
        try {
            switch (verb) {
                case "list":
                    String since = words.length > 1 ? "?updated_since=" + percent(words[1]) : "";
                    System.out.println(ask("GET", "/api/v1/received" + since, nothing).body());
                    break;
                case "read":
                    System.out.println(ask("GET", place(words[1], ""), nothing).body());
                    break;
                case "acknowledge":
                    System.out.println(say(words[1], "acknowledge", "{}"));
                    break;
                case "answer":
                    List<String> held = new ArrayList<>();
                    for (int i = 4; i < words.length; i++) {
                        held.add(quoted(field(handIn(place(words[1], "files"), Path.of(words[i])), "id")));
                    }
                    System.out.println(say(words[1], "answer", "{\"answer\":" + quoted(words[2]) + ",\"text\":"
                        + quoted(words[3]) + ",\"files\":[" + String.join(",", held) + "]}"));
                    break;
                case "feeds":
                    System.out.println(ask("GET", "/api/v1/feeds", nothing).body());
                    break;
                case "push":
                    System.out.println(handIn("/api/v1/feeds/" + words[1] + "/files", Path.of(words[2])));
                    break;
                case "delivery":
                    System.out.println(ask("GET", "/api/v1/deliveries/" + words[1], nothing).body());
                    break;
                default:
                    System.err.println("list | read | acknowledge | answer | feeds | push | delivery");
                    System.exit(2);
            }
        } catch (Refused refused) {
            System.err.println(refused.getMessage());
            System.exit(1);
        }
    }
}
