package proctor.zap;

import java.util.Comparator;
import java.util.Map;
import net.sf.json.JSONObject;
import org.zaproxy.zap.extension.api.ApiException;
import org.zaproxy.zap.extension.api.ApiResponse;
import org.zaproxy.zap.extension.api.ApiResponseList;
import org.zaproxy.zap.extension.api.ApiResponseSet;
import org.zaproxy.zap.extension.pscan.ExtensionPassiveScan;
import org.zaproxy.zap.extension.pscan.PassiveScanAPI;
import org.zaproxy.zap.extension.pscan.PassiveScanController;
import org.zaproxy.zap.extension.pscan.PassiveScanTask;

/** The API of the core, and the two views of running tasks that the core has left to the `pscan` add-on. */
final class PassiveApi extends PassiveScanAPI {

    private final PassiveScanController controller;

    PassiveApi(ExtensionPassiveScan core, PassiveScanController controller) {
        super(core);
        this.controller = controller;
    }

    @Override
    public ApiResponse handleApiView(String name, JSONObject params) throws ApiException {
        return switch (name) {
            case "currentTasks" -> {
                ApiResponseList tasks = new ApiResponseList(name);
                controller.getRunningTasks().forEach(task -> tasks.addItem(show(name, task)));
                yield tasks;
            }
            case "currentRule" ->
                    controller.getRunningTasks().stream()
                            .min(Comparator.comparingLong(PassiveScanTask::getStartTime))
                            .map(task -> show(name, task))
                            .orElse(new ApiResponseSet<>(name, Map.of()));
            default -> super.handleApiView(name, params);
        };
    }

    private static ApiResponseSet<String> show(String name, PassiveScanTask task) {
        long started = task.getStartTime();
        long running = started == 0 ? 0 : System.currentTimeMillis() - started;
        String rule = task.getCurrentScanner() == null ? "" : task.getCurrentScanner().getName();
        return new ApiResponseSet<>(name, Map.of("name", rule, "url", task.getURI().toString(), "time", "" + running));
    }
}
