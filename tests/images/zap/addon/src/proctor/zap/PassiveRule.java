package proctor.zap;

import java.util.concurrent.CountDownLatch;
import net.htmlparser.jericho.Source;
import org.parosproxy.paros.control.Control;
import org.parosproxy.paros.core.scanner.Alert;
import org.parosproxy.paros.model.HistoryReference;
import org.parosproxy.paros.network.HttpMessage;
import org.zaproxy.zap.extension.alert.ExtensionAlert;
import org.zaproxy.zap.extension.pscan.PassiveScanActions;
import org.zaproxy.zap.extension.pscan.PluginPassiveScanner;
import org.zaproxy.zap.utils.ZapXmlConfiguration;

/** What all passive rules here share. */
abstract class PassiveRule extends PluginPassiveScanner {

    private final int id;
    private final String name;

    PassiveRule(int id, String name) {
        this.id = id;
        this.name = name;
        setConfig(new ZapXmlConfiguration());
        // In the constructor, because ZAP makes a new copy of the rule for every message.
        setPassiveScanActions(new Actions());
    }

    @Override
    public int getPluginId() {
        return id;
    }

    @Override
    public String getName() {
        return name;
    }

    /** What the `pscan` add-on would do with an alert. */
    private static final class Actions implements PassiveScanActions {

        @Override
        public void raiseAlert(HistoryReference reference, Alert alert) {
            alert.setSource(Alert.Source.PASSIVE);
            Control.getSingleton().getExtensionLoader().getExtension(ExtensionAlert.class).alertFound(alert, reference);
        }

        @Override
        public void addHistoryTag(HistoryReference reference, String tag) {
            reference.addTag(tag);
        }
    }

    /** Takes a message and never gives its thread back. */
    public static final class Hanging extends PassiveRule {

        public Hanging() {
            super(60011, "Hanging (test of proctor)");
        }

        @Override
        public void scanHttpResponseReceive(HttpMessage message, int id, Source source) {
            while (true) {
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException ignored) {
                    // A regular expression that backtracks for ever is not interrupted either.
                }
            }
        }
    }

    /** Fails on every message. */
    public static final class Throwing extends PassiveRule {

        public Throwing() {
            super(60012, "Throwing passively (test of proctor)");
        }

        @Override
        public void scanHttpResponseReceive(HttpMessage message, int id, Source source) {
            throw new IllegalStateException("planted failure of a passive rule");
        }
    }
}
