package proctor.zap;

import java.util.ArrayList;
import java.util.List;
import org.parosproxy.paros.core.scanner.AbstractPlugin;
import org.parosproxy.paros.core.scanner.PluginFactory;
import org.parosproxy.paros.extension.ExtensionAdaptor;
import org.parosproxy.paros.extension.ExtensionHook;
import org.zaproxy.zap.control.AddOn;
import org.zaproxy.zap.extension.pscan.PluginPassiveScanner;

/** Reads the switches and brings the rules they ask for. */
public class ExtensionTestRules extends ExtensionAdaptor {

    private PassiveScanning passiveScanning;

    public ExtensionTestRules() {
        super("ExtensionProctorTestRules");
        // After the extensions of the core, which it changes. ZAP complains of a number that another has.
        setOrder(6200);
    }

    @Override
    public void hook(ExtensionHook hook) {
        super.hook(hook);
        Switches switches = Switches.from(getModel().getOptionsParam().getConfig());
        activeRules(switches.active()).forEach(ExtensionTestRules::load);
        if (switches.passive() != Switches.Passive.NONE) {
            boolean read = switches.passive() != Switches.Passive.UNREAD;
            passiveScanning = new PassiveScanning(passiveRules(switches.passive()), read);
            passiveScanning.hook(hook);
        }
    }

    @Override
    public void postInit() {
        if (passiveScanning != null) {
            passiveScanning.start(getModel().getSession());
        }
    }

    private static List<AbstractPlugin> activeRules(Switches.Active active) {
        List<AbstractPlugin> rules = new ArrayList<>();
        if (active == Switches.Active.NONE) {
            return rules;
        }
        rules.add(new ReflectedXss());
        rules.add(new SqlInjection());
        switch (active) {
            case ENDLESS -> rules.add(new EndlessRule());
            case DEAF -> rules.add(new DeafRule());
            case THROWING -> rules.add(new ThrowingRule());
            default -> {}
        }
        return rules;
    }

    private static void load(AbstractPlugin rule) {
        rule.setStatus(AddOn.Status.release);
        PluginFactory.loadedPlugin(rule);
    }

    private static List<PluginPassiveScanner> passiveRules(Switches.Passive passive) {
        List<PluginPassiveScanner> rules = new ArrayList<>();
        rules.add(new HeaderRule.ContentTypeOptions());
        rules.add(new HeaderRule.FrameOptions());
        rules.add(new HeaderRule.ContentSecurityPolicy());
        switch (passive) {
            case HANGING -> rules.add(new PassiveRule.Hanging());
            case THROWING -> rules.add(new PassiveRule.Throwing());
            default -> {}
        }
        return rules;
    }

    @Override
    public boolean canUnload() {
        return false;
    }

    @Override
    public String getDescription() {
        return "Rules and faults for the tests of proctor.";
    }
}
