package proctor.zap;

import org.parosproxy.paros.network.HttpMessage;

/** Ends only when somebody skips it or stops the scan. */
public class EndlessRule extends ActiveRule {

    private static final int NAP_MS = 100;

    public EndlessRule() {
        super(60001, "Endless (test of proctor)", 835, 0);
    }

    @Override
    public void scan(HttpMessage original, String param, String value) {
        while (!mayEnd()) {
            nap();
        }
    }

    boolean mayEnd() {
        return isStop();
    }

    private static void nap() {
        try {
            Thread.sleep(NAP_MS);
        } catch (InterruptedException ignored) {
            // Interrupting is not skipping.
        }
    }
}
