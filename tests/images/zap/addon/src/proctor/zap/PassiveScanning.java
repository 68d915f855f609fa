package proctor.zap;

import java.lang.reflect.Method;
import java.util.List;
import org.parosproxy.paros.control.Control;
import org.parosproxy.paros.extension.ExtensionHook;
import org.parosproxy.paros.extension.ExtensionLoader;
import org.parosproxy.paros.extension.history.ExtensionHistory;
import org.parosproxy.paros.model.Session;
import org.zaproxy.zap.extension.alert.ExtensionAlert;
import org.zaproxy.zap.extension.pscan.ExtensionPassiveScan;
import org.zaproxy.zap.extension.pscan.PassiveController;
import org.zaproxy.zap.extension.pscan.PassiveScanController;
import org.zaproxy.zap.extension.pscan.PassiveScanParam;
import org.zaproxy.zap.extension.pscan.PluginPassiveScanner;

/** Switches the passive scanning of ZAP's core on: queue, threads and API are there, but only an add-on uses them. */
final class PassiveScanning {

    private final ExtensionPassiveScan core;
    private final PassiveScanController controller;
    private final PassiveScanParam options = new PassiveScanParam();
    private final boolean read;

    /** With `read` false the queue is never read, so it only grows. */
    PassiveScanning(List<PluginPassiveScanner> rules, boolean read) {
        ExtensionLoader loader = Control.getSingleton().getExtensionLoader();
        this.core = loader.getExtension(ExtensionPassiveScan.class);
        this.controller =
                new PassiveScanController(
                        core,
                        loader.getExtension(ExtensionHistory.class),
                        loader.getExtension(ExtensionAlert.class),
                        options,
                        null);
        // It must not keep ZAP from ending.
        controller.setDaemon(true);
        this.read = read;
        core.setPassiveScanRuleManager(new RuleList(rules));
        core.setPassiveController(new Queue(controller));
    }

    void hook(ExtensionHook hook) {
        hook.addOptionsParamSet(options);
        hook.addProxyListener(controller);
        hook.addApiImplementor(new PassiveApi(core, controller));
    }

    void start(Session session) {
        controller.setSession(session);
        if (read) {
            controller.start();
        }
    }

    /** What the core asks about the queue. */
    private record Queue(PassiveScanController controller) implements PassiveController {

        @Override
        public int getRecordsToScan() {
            try {
                Method method = PassiveScanController.class.getDeclaredMethod("getRecordsToScan");
                method.setAccessible(true);
                return (int) method.invoke(controller);
            } catch (ReflectiveOperationException error) {
                throw new IllegalStateException("ZAP no longer counts its passive queue as it did", error);
            }
        }

        @Override
        public void clearQueue() {
            controller.clearQueue();
        }
    }
}
