package proctor.zap;

/** Never ends, whatever it is told: only the end of the process ends it. */
public class DeafRule extends EndlessRule {

    @Override
    public int getId() {
        return 60002;
    }

    @Override
    public String getName() {
        return "Deaf (test of proctor)";
    }

    @Override
    boolean mayEnd() {
        return false;
    }
}
