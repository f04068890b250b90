package stage

var ReadAnswer = readAnswer
