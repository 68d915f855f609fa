package proctor.zap;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.parosproxy.paros.core.scanner.AbstractAppParamPlugin;
import org.parosproxy.paros.core.scanner.Alert;
import org.parosproxy.paros.core.scanner.Category;
import org.parosproxy.paros.network.HttpMessage;

/** What all active rules here share: who they are, and how one parameter is sent with another value. */
abstract class ActiveRule extends AbstractAppParamPlugin {

    private final int id;
    private final String name;
    private final int cwe;
    private final int wasc;

    ActiveRule(int id, String name, int cwe, int wasc) {
        this.id = id;
        this.name = name;
        this.cwe = cwe;
        this.wasc = wasc;
    }

    /** The answer to the message that is scanned, with this value for this parameter. */
    HttpMessage send(String param, String value) {
        HttpMessage message = getNewMsg();
        setParameter(message, param, value);
        try {
            sendAndReceive(message, false);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return message;
    }

    void raise(HttpMessage message, String param, String attack, String evidence) {
        newAlert()
                .setConfidence(Alert.CONFIDENCE_MEDIUM)
                .setParam(param)
                .setAttack(attack)
                .setEvidence(evidence)
                .setMessage(message)
                .raise();
    }

    @Override
    public int getId() {
        return id;
    }

    @Override
    public String getName() {
        return name;
    }

    @Override
    public String getDescription() {
        return name + ", found by a rule of proctor's tests.";
    }

    @Override
    public String getSolution() {
        return "Do not build " + (cwe == 89 ? "statements" : "pages") + " from what a visitor sends.";
    }

    @Override
    public String getReference() {
        return "";
    }

    @Override
    public int getCategory() {
        return Category.INJECTION;
    }

    @Override
    public int getRisk() {
        return Alert.RISK_HIGH;
    }

    @Override
    public int getCweId() {
        return cwe;
    }

    @Override
    public int getWascId() {
        return wasc;
    }

    @Override
    public Map<String, String> getAlertTags() {
        return Map.of("CWE-" + cwe, "https://cwe.mitre.org/data/definitions/" + cwe + ".html");
    }
}
