package proctor.zap;

import java.util.Arrays;
import java.util.Locale;
import org.apache.commons.configuration.Configuration;

/** How ZAP is to behave, from `-config proctor.active=…` and `-config proctor.passive=…` of its command line. */
record Switches(Active active, Passive passive) {

    enum Active {
        /** Reflected XSS and SQL injection. */
        RULES,
        /** No active rule at all. */
        NONE,
        /** Also a rule that ends only when it is skipped or the scan is stopped. */
        ENDLESS,
        /** Also a rule that never ends, skipped and stopped or not. */
        DEAF,
        /** Also a rule that throws. */
        THROWING
    }

    enum Passive {
        /** Three header rules and a queue that drains. */
        RULES,
        /** No passive scanning, as in a ZAP without its `pscan` add-on. */
        NONE,
        /** A queue that nobody reads: it only grows. */
        UNREAD,
        /** Also a rule that never comes back, so that the threads run out. */
        HANGING,
        /** Also a rule that throws. */
        THROWING
    }

    static Switches from(Configuration configuration) {
        return new Switches(
                choice(configuration, "proctor.active", Active.RULES),
                choice(configuration, "proctor.passive", Passive.RULES));
    }

    private static <T extends Enum<T>> T choice(Configuration configuration, String key, T standard) {
        String word = configuration.getString(key, standard.name()).toUpperCase(Locale.ROOT);
        try {
            return Enum.valueOf(standard.getDeclaringClass(), word);
        } catch (IllegalArgumentException error) {
            Object[] known = standard.getDeclaringClass().getEnumConstants();
            throw new IllegalArgumentException(key + " is " + word + ", must be one of " + Arrays.toString(known), error);
        }
    }
}
