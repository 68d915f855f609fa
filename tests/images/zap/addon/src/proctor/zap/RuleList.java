package proctor.zap;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.zaproxy.zap.extension.pscan.PassiveScanRuleManager;
import org.zaproxy.zap.extension.pscan.PassiveScanner;
import org.zaproxy.zap.extension.pscan.PluginPassiveScanner;

/** The passive rules that are installed. */
final class RuleList implements PassiveScanRuleManager {

    private final List<PassiveScanner> rules = new CopyOnWriteArrayList<>();

    RuleList(List<PluginPassiveScanner> rules) {
        this.rules.addAll(rules);
    }

    @Override
    public boolean add(PassiveScanner rule) {
        return rules.add(rule);
    }

    @Override
    public PassiveScanner getScanRule(int id) {
        return getPluginScanRules().stream().filter(rule -> rule.getPluginId() == id).findFirst().orElse(null);
    }

    @Override
    public List<PassiveScanner> getScanRules() {
        return rules;
    }

    @Override
    public List<PluginPassiveScanner> getPluginScanRules() {
        return rules.stream().filter(PluginPassiveScanner.class::isInstance).map(PluginPassiveScanner.class::cast).toList();
    }

    @Override
    public boolean remove(PassiveScanner rule) {
        return rules.remove(rule);
    }

    @Override
    public boolean remove(String className) {
        return rules.removeIf(rule -> rule.getClass().getName().equals(className));
    }
}
