package cdp

import proto "github.com/chromedp/cdproto/cdp"

// The domains that only Node.js has, one line per command or event. The names
// are those of node's src/inspector/node_protocol.pdl; all of these exist from
// Node 18 to 26.
var (
	workerEnable         = proto.Command[workerEnableParams, proto.Empty]{Method: "NodeWorker.enable"}
	workerDetach         = proto.Command[workerDetachParams, proto.Empty]{Method: "NodeWorker.detach"}
	workerSend           = proto.Command[workerSendParams, proto.Empty]{Method: "NodeWorker.sendMessageToWorker"}
	attachedToWorker     = proto.Event[attachedParams]{Method: "NodeWorker.attachedToWorker"}
	detachedFromWorker   = proto.Event[workerDetachParams]{Method: "NodeWorker.detachedFromWorker"}
	waitingForDisconnect = proto.Event[proto.Empty]{Method: "NodeRuntime.waitingForDisconnect"}

	traceStart = proto.Command[traceStartParams, proto.Empty]{Method: "NodeTracing.start"}
	traceStop  = proto.Command[proto.Empty, proto.Empty]{Method: "NodeTracing.stop"}
	traceData  = proto.Event[proto.Empty]{Method: "NodeTracing.dataCollected"}

	notifyWhenWaitingForDisconnect = proto.Command[notifyParams, proto.Empty]{Method: "NodeRuntime.notifyWhenWaitingForDisconnect"}
)

type workerEnableParams struct {
	WaitForDebuggerOnStart bool `json:"waitForDebuggerOnStart"`
}

type workerDetachParams struct {
	SessionID string `json:"sessionId"`
}

type workerSendParams struct {
	SessionID string `json:"sessionId"`
	Message   string `json:"message"`
}

type attachedParams struct {
	SessionID  string `json:"sessionId"`
	WorkerInfo struct {
		WorkerID string `json:"workerId"`
		Title    string `json:"title"`
		URL      string `json:"url"`
	} `json:"workerInfo"`
}

type notifyParams struct {
	Enabled bool `json:"enabled"`
}

type traceStartParams struct {
	TraceConfig struct {
		IncludedCategories []string `json:"includedCategories"`
	} `json:"traceConfig"`
}
