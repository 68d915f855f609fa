package proctor.zap;

import java.util.List;
import net.htmlparser.jericho.Source;
import org.parosproxy.paros.core.scanner.Alert;
import org.parosproxy.paros.network.HttpMessage;

/** A page that came without a header that every page should have; ids and words are those of ZAP's own rules. */
abstract class HeaderRule extends PassiveRule {

    private final List<String> headers;
    private final int cwe;
    private final int risk;

    /** One of the headers must be there. */
    HeaderRule(int id, String name, int cwe, int risk, String... headers) {
        super(id, name);
        this.cwe = cwe;
        this.risk = risk;
        this.headers = List.of(headers);
    }

    abstract boolean concerns(HttpMessage message);

    @Override
    public void scanHttpResponseReceive(HttpMessage message, int id, Source source) {
        boolean there = headers.stream().anyMatch(header -> message.getResponseHeader().getHeader(header) != null);
        if (there || !concerns(message)) {
            return;
        }
        newAlert()
                .setRisk(risk)
                .setConfidence(Alert.CONFIDENCE_MEDIUM)
                .setName(getName())
                .setDescription("The answer has no header " + String.join(" or ", headers) + ".")
                .setSolution("Send the header with every page.")
                .setParam(headers.get(0).toLowerCase())
                .setCweId(cwe)
                .setWascId(15)
                .setMessage(message)
                .raise();
    }

    private static boolean isPage(HttpMessage message) {
        int status = message.getResponseHeader().getStatusCode();
        return status < 300 && message.getResponseHeader().isHtml();
    }

    public static final class ContentTypeOptions extends HeaderRule {

        public ContentTypeOptions() {
            super(10021, "X-Content-Type-Options Header Missing", 693, Alert.RISK_LOW, "X-Content-Type-Options");
        }

        @Override
        boolean concerns(HttpMessage message) {
            return message.getResponseHeader().getStatusCode() < 300 && message.getResponseBody().length() > 0;
        }
    }

    public static final class FrameOptions extends HeaderRule {

        public FrameOptions() {
            super(
                    10020,
                    "Missing Anti-clickjacking Header",
                    1021,
                    Alert.RISK_MEDIUM,
                    "X-Frame-Options",
                    "Content-Security-Policy");
        }

        @Override
        boolean concerns(HttpMessage message) {
            return isPage(message);
        }
    }

    public static final class ContentSecurityPolicy extends HeaderRule {

        public ContentSecurityPolicy() {
            super(
                    10038,
                    "Content Security Policy (CSP) Header Not Set",
                    693,
                    Alert.RISK_MEDIUM,
                    "Content-Security-Policy");
        }

        @Override
        boolean concerns(HttpMessage message) {
            return isPage(message);
        }
    }
}
