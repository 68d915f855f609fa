package proctor.zap;

import org.parosproxy.paros.network.HttpMessage;

/** Fails on every parameter. */
public class ThrowingRule extends ActiveRule {

    public ThrowingRule() {
        super(60003, "Throwing (test of proctor)", 248, 0);
    }

    @Override
    public void scan(HttpMessage original, String param, String value) {
        throw new IllegalStateException("planted failure of an active rule");
    }
}
