package kerneltest

// Cell is code that the kernel knows. The package's doc says what each does.
type Cell string

// The cells that behave.
const (
	Loop Cell = "loop"
	Ask  Cell = "ask"
	Exit Cell = "exit"
)

// The cells that do not.
const (
	ReplyWithoutIdle Cell = "reply without idle"
	IdleWithoutReply Cell = "idle without reply"
	Neither          Cell = "neither"
	Duplicated       Cell = "duplicated"
	Reordered        Cell = "reordered"
	TwoIdles         Cell = "two idles"
	ReplyFirst       Cell = "reply first"
	EarlyIdle        Cell = "early idle"
	ForeignIdle      Cell = "foreign idle"
	BadSignature     Cell = "bad signature"
	Unsigned         Cell = "unsigned"
	Undecodable      Cell = "undecodable"
	UndecodableReply Cell = "undecodable reply"
	UndecodableIdle  Cell = "undecodable idle"
	DeepJSON         Cell = "deep JSON"
	GiantOutput      Cell = "giant output"
	GiantReply       Cell = "giant reply"
	Silence          Cell = "silence"
	SlowDrip         Cell = "slow drip"
	SlowerDrip       Cell = "slower drip"
	DeathInCell      Cell = "death in cell"
	DeathAfterReply  Cell = "death after reply"
	DeathAfterIdle   Cell = "death after idle"
	AskUninvited     Cell = "ask uninvited"
	NaN              Cell = "NaN"
	Buffers          Cell = "buffers"
	Aborted          Cell = "aborted"
	NoDate           Cell = "no date"
	UnknownType      Cell = "unknown type"
	OtherVersion     Cell = "other version"
	ErrorInReply     Cell = "error in reply"
	ErrorOnIOPub     Cell = "error on iopub"
	OutputWidget     Cell = "output widget"
	LateOutput       Cell = "late output"
	Stubborn         Cell = "stubborn"
	ExitThatStays    Cell = "exit that stays"
	ShellLost        Cell = "shell lost"
	IOPubLost        Cell = "iopub lost"
)

// Cells returns the misbehaving cells, in the order of the doc's table.
func Cells() []Cell {
	return []Cell{
		ReplyWithoutIdle, IdleWithoutReply, Neither, Duplicated, Reordered, TwoIdles, ReplyFirst, EarlyIdle, ForeignIdle,
		BadSignature, Unsigned, Undecodable, UndecodableReply, UndecodableIdle, DeepJSON, GiantOutput, GiantReply,
		Silence, SlowDrip, SlowerDrip, DeathInCell, DeathAfterReply, DeathAfterIdle, AskUninvited, NaN, Buffers,
		Aborted, NoDate, UnknownType, OtherVersion, ErrorInReply, ErrorOnIOPub, OutputWidget, LateOutput, Stubborn, ExitThatStays,
		ShellLost, IOPubLost,
	}
}

// Start is how a kernel's start goes. The package's doc says what each means.
type Start string

// The ways a start goes; the first two are those of real kernels.
const (
	NoWelcome            Start = "no welcome"
	Welcome              Start = "welcome"
	WelcomeLate          Start = "welcome late"
	WelcomeTwice         Start = "welcome twice"
	SubscriptionLate     Start = "subscription late"
	SlowStart            Start = "slow start"
	SilentStart          Start = "silent start"
	NoIdle               Start = "no idle"
	NoReply              Start = "no reply"
	UndecodableInfo      Start = "undecodable info"
	WrongProtocol        Start = "wrong protocol"
	DeathAtConnect       Start = "death at connect"
	DeathAtRequest       Start = "death at request"
	DeathAfterBusy       Start = "death after busy"
	DeathAfterStartReply Start = "death after start reply"
	DeathAfterStartIdle  Start = "death after start idle"
)

// Starts returns the ways a start goes, in the order of the doc's table.
func Starts() []Start {
	return []Start{
		NoWelcome, Welcome, WelcomeLate, WelcomeTwice, SubscriptionLate, SlowStart, SilentStart, NoIdle, NoReply,
		UndecodableInfo, WrongProtocol, DeathAtConnect, DeathAtRequest, DeathAfterBusy, DeathAfterStartReply,
		DeathAfterStartIdle,
	}
}
