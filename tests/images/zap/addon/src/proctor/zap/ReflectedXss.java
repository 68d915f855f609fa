package proctor.zap;

import org.parosproxy.paros.network.HttpMessage;

/** ZAP's rule 40012: a script sent as a parameter stands in the page that comes back. */
public class ReflectedXss extends ActiveRule {

    private static final String SCRIPT = "<script>alert(1);</script>";
    private static final String ATTACK = "'\">" + SCRIPT;

    public ReflectedXss() {
        super(40012, "Cross Site Scripting (Reflected)", 79, 8);
    }

    @Override
    public void scan(HttpMessage original, String param, String value) {
        HttpMessage answer = send(param, ATTACK);
        if (answer.getResponseHeader().isHtml() && answer.getResponseBody().toString().contains(SCRIPT)) {
            raise(answer, param, ATTACK, SCRIPT);
        }
    }
}
